"""Families of molecules with few labels."""

from __future__ import annotations

from parsimony.frontier.families.family import Family, Size, grown, hidden_units

__all__ = ["molecules"]

_META = ("lr", "weight_decay", "hidden_dropout", "penalty")
_TASKS = ("lr", "weight_decay", "dropout", "input_dropout")
_ENCODERS = ((1, 8), (2, 16), (3, 32), (3, 64), (3, 128), (5, 300))
_NETWORKS = ((1, 6), (2, 16), (3, 32), (3, 64), (4, 128), (5, 300), (5, 700))


def molecules() -> list[Family]:
    """Families of molecules with few labels."""
    forms = Family(
        "fingerprints", "knowledge",
        (
            Size("Tanimoto", "tanimoto", {}, 1.0),
            Size("kernel ridge", "fingerprint-ridge", {}, 2.0),
        ),
        "closed forms over the fingerprints of the support: nothing is trained", main=True,
    )  # fmt: skip
    adapted = [
        _adapted(name, method, about, profile=profile)
        for profile in (True, False)
        for name, method, about in (
            ("prototypes", "prototype", "a closed form over learned features"),
            ("PAR", "par", "property-aware relations between molecules"),
            ("PACIA", "pacia", "a hypernetwork that adapts the encoder"),
        )
    ]
    return [
        forms,
        *adapted,
        Family(
            "MLP", "scaled",
            grown(
                "multitask", "hidden", (1, 4, 16, 64, 256, 1024, 4096), hidden_units,
                tuned=_TASKS, each=2e3,
            ),
            "counts of fragments and descriptors through a hidden layer that grows, trained on all "
            "training tasks at once", main=True,
        ),
        Family(
            "GIN", "scaled",
            tuple(
                Size(
                    _gin(layers, width), "multitask", {"graph_layers": layers, "hidden": width},
                    4.0 * layers * width**2 + 130 * width, _TASKS,
                )
                for layers, width in _NETWORKS
            ),
            "a graph isomorphism network, 1 k to 10 M numbers, trained on all training tasks at "
            "once, with the same closed-form head for a new task", main=True,
        ),
    ]  # fmt: skip


def _gin(layers: int, width: int) -> str:
    return f"{layers} layer{'s' * (layers != 1)} of {width}"


def _adapted(name: str, method: str, about: str, *, profile: bool) -> Family:
    """A learned encoder with a head that adapts to a new task."""
    sizes = tuple(
        Size(
            f"GIN, {_gin(layers, width)}", method,
            {"layers": layers, "width": width, "dim": min(width, 64), "profile": profile},
            9.0 * layers * width**2, _META,
        )
        for layers, width in _ENCODERS
    )  # fmt: skip
    return Family(
        name + " without profile" * (not profile), "knowledge", sizes,
        f"{about}, {'with' if profile else 'without'} the profile of a molecule's other assays",
        main=profile and method != "pacia",
    )  # fmt: skip
