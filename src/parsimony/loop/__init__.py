"""Knowledge in, knowledge out, once around and again: mine, fit, distil, check, keep."""

from __future__ import annotations

from parsimony.loop.request import LoopRequest
from parsimony.loop.rounds import loop

__all__ = ["LoopRequest", "loop"]
