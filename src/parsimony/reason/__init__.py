"""Logic: RED-GNN, AdaProp and rules, their training, and the reasons they give."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parsimony.reason.adaprop import AdaProp
    from parsimony.reason.redgnn import RedGNN
    from parsimony.reason.rules import RuleReasoner, apply_rules

__all__ = ["AdaProp", "RedGNN", "RuleReasoner", "apply_rules"]

_HOME = {"AdaProp": "adaprop", "RedGNN": "redgnn", "RuleReasoner": "rules", "apply_rules": "rules"}


def __getattr__(name: str) -> Any:
    # Lazy: the methods import torch and numba.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
