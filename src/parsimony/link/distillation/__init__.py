"""A model becomes a weighted rule book of chosen size (docs/methods/rules.md)."""

from __future__ import annotations

from parsimony.link.distillation.student import Distilled, distil

__all__ = ["Distilled", "distil"]
