"""How much of a deadline is kept for what follows learning."""

from __future__ import annotations

__all__ = ["RANKING", "writing_seconds"]

#: of what is left, the most that is kept for ranking validation and test
RANKING = 0.25


def writing_seconds(left: float) -> float:
    """Seconds kept to read out knowledge, to write a run and to leave, of those that are left."""
    return min(0.8 + 0.05 * left, 30.0)
