"""Hyper-parameters of embedding models for the registered datasets.

Those of umls, nations, wn18rr and FB15k-237 were chosen on validation from a few trainings of
ComplEx (26, 16, 27 and 10); the other bilinear models take the same. Those of family have not been
tuned: they begin with what Lacroix et al. (ICML 2018) found for ComplEx with N3.
"""

from __future__ import annotations

from typing import Any

_BILINEAR: dict[str, dict[str, Any]] = {
    "umls": {
        "dim": 64, "lr": 0.4, "decay": 0.97, "batch": 256, "n3": 0.0, "dropout": 0.0,
        "input_dropout": 0.1, "epochs": 100, "validate_every": 2,
    },
    "nations": {
        "dim": 64, "lr": 0.1, "decay": 0.97, "batch": 256, "n3": 0.001, "dropout": 0.2,
        "input_dropout": 0.3, "reciprocal": True, "epochs": 120, "validate_every": 2,
        "patience": 30,
    },
    "family": {"dim": 128, "lr": 0.1, "decay": 0.97, "n3": 0.01, "dropout": 0.0, "epochs": 60},
    "wn18rr": {
        "dim": 256, "lr": 0.5, "decay": 0.94, "batch": 128, "negatives": 2048, "n3": 0.0,
        "dura": 0.2, "ema_decay": 0.8, "dropout": 0.0, "input_dropout": 0.2, "reciprocal": True,
        "epochs": 48, "validate_every": 3, "patience": 12,
    },
    "fb15k-237": {
        "dim": 512, "lr": 0.15, "decay": 0.955, "batch": 512, "negatives": 2048, "n3": 0.0,
        "dura": 0.05, "ema_decay": 0.8, "dropout": 0.0, "input_dropout": 0.2, "reciprocal": True,
        "epochs": 42, "validate_every": 3, "patience": 12,
    },
}  # fmt: skip
_DISTANCE: dict[str, dict[str, Any]] = {
    name: {"dim": _BILINEAR[name]["dim"]} for name in ("umls", "nations", "wn18rr", "fb15k-237")
}


def embedding_preset(method: str, name: str) -> dict[str, Any]:
    """Parameters of a method for a registered dataset, or nothing."""
    table = _DISTANCE if method in ("transe", "rotate") else _BILINEAR
    return dict(table.get(name, {}))
