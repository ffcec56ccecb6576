"""Rules as a method: mined or given, they answer queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.link.rules.method import RuleReasoner, apply_rules

__all__ = [
    "RuleReasoner",
    "apply_rules",
]

__getattr__ = lazy(
    __name__,
    {
        "RuleReasoner": "method",
        "apply_rules": "method",
    },
)
