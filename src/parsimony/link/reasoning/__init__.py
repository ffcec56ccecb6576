"""Reasoning over relational digraphs: RED-GNN, AdaProp, their training and their reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.link.reasoning.adaprop import AdaProp
    from parsimony.link.reasoning.redgnn import RedGNN

__all__ = [
    "AdaProp",
    "RedGNN",
]

__getattr__ = lazy(
    __name__,
    {
        "AdaProp": "adaprop",
        "RedGNN": "redgnn",
    },
)
