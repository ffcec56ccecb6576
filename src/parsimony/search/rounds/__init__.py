"""Knowledge in, knowledge out, once around and again: mine, fit, distil, check, keep."""

from __future__ import annotations

from parsimony.search.rounds.engine import loop
from parsimony.search.rounds.request import LoopRequest

__all__ = ["LoopRequest", "loop"]
