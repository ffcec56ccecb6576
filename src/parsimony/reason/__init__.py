"""Logic: RED-GNN, AdaProp and rules, their training, and the reasons they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.reason.adaprop import AdaProp
    from parsimony.reason.redgnn import RedGNN
    from parsimony.reason.rules import RuleReasoner, apply_rules

__all__ = ["AdaProp", "RedGNN", "RuleReasoner", "apply_rules"]

__getattr__ = lazy(
    __name__,
    {"AdaProp": "adaprop", "RedGNN": "redgnn", "RuleReasoner": "rules", "apply_rules": "rules"},
)
