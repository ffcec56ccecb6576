"""Who runs at which sizes: two families of methods for every kind of problem.

Neither side gets the presets of a registered dataset: every size is tuned by the same number of
trials, over the parameters that its family names, from the same defaults as on a stranger's data.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parsimony.base import Tuned as Range
from parsimony.errors import UnknownParameter
from parsimony.frontier.row import Side
from parsimony.problems import problem

__all__ = ["QUICK", "RANGES", "Family", "Size", "families"]

#: what is tuned of parameters that `parsimony tune` leaves alone
RANGES: dict[str, Range] = {
    "relation_weight": Range(1e-3, 1.0, log=True, zero=True),
    "symbol": Range(
        choices=(
            "ComplEx", "DistMult", "SimplE", "Analogy", "CP", "QuatE", "AutoSF-WN18",
            "AutoSF-FB15k", "AutoSF-WN18RR", "AutoSF-FB15k-237", "AutoSF-YAGO3-10",
            "AutoSF-wikikg2", "AutoBLM-biokg", "AutoBLM-wikikg2",
        )
    ),
}  # fmt: skip


#: who takes part within a short budget, and at how many of the smallest sizes: what learns in
#: seconds and needs no kernels compiled for each size
QUICK: dict[str, dict[str, int]] = {
    "link": {"rules": 6, "ComplEx": 5, "DistMult": 5},
    "ddi": {"similar drugs": 1, "walks": 5, "MLP": 5},
    "molecules": {"fingerprints": 2, "MLP": 5},
    "coldstart": {"closed forms": 3, "ridge per user": 5, "factorisation machine": 5},
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """A method at one size.

    Attributes
    ----------
    label
        What the size is, such as ``d=64``.
    method, settings
        As ``parsimony fit`` takes them.
    about
        Roughly how many numbers it holds, in the family's own unit; it grows along the sizes.
    tuned
        Parameters that a tuning may choose.
    """

    label: str
    method: str
    settings: dict[str, Any]
    about: float
    tuned: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Sizes of one kind of model.

    Attributes
    ----------
    name, side
        What it is, and on which side it stands.
    sizes
        From small to large.
    about
        Why it is here.
    needs
        The extra that it needs; "" for none.
    """

    name: str
    side: Side
    sizes: tuple[Size, ...]
    about: str
    needs: str = field(default="")

    def only(self, labels: Container[str]) -> Family:
        """Keep the sizes of these labels."""
        return replace(self, sizes=tuple(size for size in self.sizes if size.label in labels))

    def thinned(self, most: int) -> Family:
        """Keep at most so many sizes, even on the logarithm; the first and the last among them."""
        if len(self.sizes) <= most:
            return self
        amount = np.log([size.about for size in self.sizes])
        kept = {0, len(self.sizes) - 1} if most > 1 else {0}
        for wanted in np.linspace(amount[0], amount[-1], most)[1:-1]:
            left = [i for i in range(len(self.sizes)) if i not in kept]
            kept.add(min(left, key=lambda i: abs(amount[i] - wanted)))
        sizes = tuple(self.sizes[i] for i in sorted(kept))
        return Family(self.name, self.side, sizes, self.about, self.needs)


def families(kind: str, *, sizes: int | None = None) -> tuple[Family, ...]:
    """Return the families of a kind of problem, those driven by knowledge first.

    Parameters
    ----------
    kind
        As :mod:`parsimony.problems` names it.
    sizes
        At most so many of each, ≥ 1.

    Raises
    ------
    UnknownParameter
        No such kind, or one without families.
    """
    problem(kind)
    if kind not in _OF:
        raise UnknownParameter(f"there are no families for task {kind!r}")
    found = tuple(_OF[kind]())
    return found if sizes is None else tuple(family.thinned(sizes) for family in found)


def _grown(
    method: str, name: str, values: Iterable[int], *, tuned: tuple[str, ...] = (),
    each: float = 1.0, **given: Any,
) -> tuple[Size, ...]:  # fmt: skip
    """One size for each value of a parameter; ``each`` is what the amount is per unit of it."""
    return tuple(
        Size(f"{_SHORT.get(name, name)}={v}", method, {name: v, **given}, each * v, tuned)
        for v in values
    )


_SHORT = {"dim": "d", "hidden": "h", "per_relation": "rules per relation"}
_POWERS = tuple(2**i for i in range(2, 12))  # 4 … 2048

_REASONER = ("lr", "dropout", "weight_decay", "batch", "fact_ratio", "activation")
_EMBEDDING = ("lr", "dura", "n3", "relation_weight", "input_dropout", "batch")
_TASKS = ("lr", "weight_decay", "dropout", "input_dropout")
_FACTORS = ("lr", "weight_decay", "dropout", "batch")
_DISTANCE = ("lr", "n3", "dropout", "reciprocal", "batch")


def _links() -> list[Family]:
    """Link prediction."""
    deeper = ((8, 2), (16, 3), (32, 3), (64, 4), (128, 4), (256, 5))
    passing = tuple(
        Size(
            f"d={d}, L={layers}", "redgnn",
            {"dim": d, "n_layers": layers, "relative": False, "attention_dim": max(5, d // 8)},
            layers * (100.0 * d + d * d) + 6 * d * d, _REASONER,
        )
        for d, layers in deeper
    )  # fmt: skip
    return [
        Family(
            "rules", "knowledge",
            _grown(
                "rules", "per_relation", (1, 3, 10, 30, 100, 300, 1000),
                tuned=("max_length", "min_support", "min_confidence"),
            ),
            "path rules counted on the facts, so many of each relation at most",
        ),
        Family(
            "RED-GNN", "knowledge",
            _grown("redgnn", "dim", (4, 8, 16, 32, 64, 128), tuned=_REASONER, each=1e3),
            "walks from the head, as many steps as the graph needs to join its facts again",
        ),
        Family(
            "AdaProp", "knowledge",
            _grown("adaprop", "dim", (4, 8, 16, 32, 64, 128), tuned=_REASONER, each=1e3),
            "RED-GNN with learned pruning of the entities that a step goes on from",
        ),
        Family(
            "chosen symbol", "knowledge",
            _grown(
                "bilinear", "dim", (4, 8, 16, 32, 64), tuned=("symbol", *_EMBEDDING), each=1e3,
                symbol="Analogy",
            ),
            "a small bilinear model whose structure is chosen among the named symbols",
        ),
        Family(
            "ComplEx", "scaled", _grown("complex", "dim", _POWERS, tuned=_EMBEDDING, each=1e3),
            "with DURA, N3 and relation prediction; reciprocal relations",
        ),
        Family(
            "RotatE", "scaled", _grown("rotate", "dim", _POWERS, tuned=_DISTANCE, each=1e3),
            "with N3, trained against all entities",
        ),
        Family(
            "DistMult", "scaled", _grown("distmult", "dim", _POWERS, tuned=_EMBEDDING, each=1e3),
            "with DURA, N3 and relation prediction; reciprocal relations",
        ),
        Family(
            "AutoSF", "scaled",
            _grown(
                "bilinear", "dim", _POWERS, tuned=_EMBEDDING, each=1e3, symbol="AutoSF-FB15k-237"
            ),
            "the symbol that AutoSF published for FB15k-237, with DURA, N3 and relation prediction",
        ),
        Family(
            "message passing", "scaled", passing,
            "no embedding of entities: RED-GNN's recursion over all entities that a walk reaches, "
            "widened and deepened together; no pruning, no depth chosen by the graph, no vectors "
            "of their own for edges of the relation that is asked for (in the manner of NBFNet, "
            "whose Bellman-Ford recursion it shares; NBFNet aggregates by PNA, this by attention)",
        ),
    ]  # fmt: skip


def _pairs() -> list[Family]:
    """Drug–drug interactions."""
    flow = ((4, 0), (8, 0), (16, 0), (32, 0), (32, 16), (64, 128))
    tuned = ("lr", "dropout", "fingerprint_dropout", "neighbour_edges", "batch")
    mlp = ("lr", "weight_decay", "dropout", "input_dropout", "batch")
    hidden = (1, 4, 16, 64, 256, 1024, 4096)
    return [
        Family(
            "similar drugs", "knowledge", (Size("neighbours", "neighbours", {}, 1.0),),
            "what drugs of similar structure interact with: nothing is trained",
        ),
        Family(
            "walks", "knowledge",
            _grown(
                "walks", "max_metapaths", (10, 30, 100, 300, 1000, 3000),
                tuned=("neighbour_edges", "balance"),
            ),
            "a sparse logistic model on counts of walks between the two drugs",
        ),
        Family(
            "EmerGNN", "knowledge",
            tuple(
                Size(
                    f"d={d}" + f", h={units}" * bool(units), "emergnn",
                    {"dim": d, "hidden": units}, 1e3 * d + 2e3 * units, tuned,
                )
                for d, units in flow
            ),
            "flows along the paths between the two drugs in the background graph",
        ),
        Family(
            "MLP", "scaled", _grown("mlp", "hidden", hidden, tuned=mlp, drug_vectors=False),
            "the fingerprints of both drugs through a hidden layer that grows",
        ),
        Family(
            "MLP and vectors", "scaled",
            _grown("mlp", "hidden", hidden, tuned=mlp, drug_vectors=True),
            "the same with a free vector of each drug that grows with the layer; of a drug without "
            "training pairs it stays zero",
        ),
    ]  # fmt: skip


def _molecules() -> list[Family]:
    """Molecules with few labels."""
    meta = ("lr", "weight_decay", "hidden_dropout", "penalty")
    forms: list[Family] = [
        Family(
            "fingerprints",
            "knowledge",
            (
                Size("tanimoto", "tanimoto", {}, 1.0),
                Size("kernel ridge", "fingerprint-ridge", {}, 2.0),
            ),
            "closed forms over the fingerprints of the support: nothing is trained",
        )
    ]
    encoders = ((1, 8), (2, 16), (3, 32), (3, 64), (3, 128), (5, 300))
    for profile in (True, False):
        without = ", no profile" * (not profile)
        for name, method, about in (
            ("prototypes", "prototype", "a closed form over learned features"),
            ("PAR", "par", "property-aware relations between molecules"),
            ("PACIA", "pacia", "a hypernetwork that adapts the encoder"),
        ):
            sizes = tuple(
                Size(
                    f"GIN {layers}×{width}", method,
                    {"layers": layers, "width": width, "dim": min(width, 64), "profile": profile},
                    9.0 * layers * width**2, meta,
                )
                for layers, width in encoders
            )  # fmt: skip
            with_ = "with" if profile else "without"
            forms.append(
                Family(
                    name + without, "knowledge", sizes,
                    f"{about}, {with_} the profile of a molecule's other assays",
                )
            )  # fmt: skip
    return [
        *forms,
        Family(
            "MLP", "scaled",
            _grown(
                "multitask", "hidden", (1, 4, 16, 64, 256, 1024, 4096),
                tuned=_TASKS, each=2e3,
            ),
            "counts of fragments and descriptors through a hidden layer that grows, trained on all "
            "training tasks at once",
        ),
        Family(
            "GIN", "scaled",
            tuple(
                Size(
                    f"{layers}×{width}", "multitask", {"graph_layers": layers, "hidden": width},
                    4.0 * layers * width**2 + 130 * width, _TASKS,
                )
                for layers, width in (
                    (1, 6), (2, 16), (3, 32), (3, 64), (4, 128), (5, 300), (5, 700)
                )
            ),
            "a graph isomorphism network, 1 k to 10 M numbers, trained on all training tasks at "
            "once, with the same closed-form head for a new task",
        ),
    ]  # fmt: skip


def _ratings() -> list[Family]:
    """Ratings of new users."""
    tuned = ("lr", "weight_decay", "dropout", "item_dropout", "batch")
    nets = ((2, 4), (4, 8), (8, 16), (16, 64), (32, 128), (64, 256))
    return [
        Family(
            "closed forms", "knowledge",
            (
                Size("means", "means", {}, 1.0),
                Size("popularity", "popularity", {}, 2.0),
                Size("evidence", "evidence", {}, 9.0),
            ),
            "what others' ratings say of an item: at most nine numbers",
        ),
        Family(
            "ridge per user", "knowledge",
            _grown("ridge-head", "dim", (2, 4, 8, 16, 32, 64, 128), each=1e3),
            "singular vectors of the ratings, and a ridge regression for each new user",
        ),
        Family(
            "ColdNAS", "knowledge",
            tuple(
                Size(
                    f"d={d}", "coldnas",
                    {"dim": d, "hidden": (h, max(h // 2, 1), max(h // 4, 1)), "context": d * 2},
                    1e3 * d + 10 * h * d, tuned,
                )
                for d, h in nets
            ),
            "a network whose layers a user's ratings modulate by a searched formula",
        ),
        Family(
            "factorisation machine", "scaled",
            _grown("fm", "dim", tuple(2**i for i in range(10)), tuned=_FACTORS, each=1e3),
            "vectors of the item and of the rated ones, all pairs of features",
        ),
        Family(
            "MLP", "scaled",
            tuple(
                Size(f"d={d}, h={4 * d}", "rating-mlp", {"dim": d, "units": 4 * d}, 1e3 * d,
                     _FACTORS)
                for d in (1, 2, 4, 8, 16, 32, 64, 128, 256)
            ),
            "the same vectors through two hidden layers that grow with them",
        ),
    ]  # fmt: skip


_OF: dict[str, Callable[[], list[Family]]] = {
    "link": _links, "ddi": _pairs, "molecules": _molecules, "coldstart": _ratings,
}  # fmt: skip
