"""Hyper-parameters of embedding models for the registered datasets.

They begin with the published ones (methods/01 d) and were tuned on validation, for ComplEx; the
other bilinear models take the same.
"""

from __future__ import annotations

from typing import Any

_BILINEAR: dict[str, dict[str, Any]] = {}
_DISTANCE: dict[str, dict[str, Any]] = {}


def embedding_preset(method: str, name: str) -> dict[str, Any]:
    """Parameters of a method for a registered dataset, or nothing."""
    table = _DISTANCE if method in ("transe", "rotate") else _BILINEAR
    return dict(table.get(name, {}))
