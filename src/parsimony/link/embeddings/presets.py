"""Hyper-parameters of embedding models for the registered datasets.

Those of wn18rr and FB15k-237 were chosen on validation from a few trainings of ComplEx (27 and 10);
the other bilinear models take the same. On smaller graphs the defaults are no worse.
"""

from __future__ import annotations

from typing import Any

_BILINEAR: dict[str, dict[str, Any]] = {
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
    name: {"dim": _BILINEAR[name]["dim"]} for name in ("wn18rr", "fb15k-237")
}


def embedding_preset(method: str, name: str) -> dict[str, Any]:
    """Parameters of a method for a registered dataset, or nothing."""
    table = _DISTANCE if method in ("transe", "rotate") else _BILINEAR
    return dict(table.get(name, {}))
