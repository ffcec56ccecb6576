"""Numbers as people read them."""

from __future__ import annotations

__all__ = ["number"]


def number(value: float, digits: int = 3) -> str:
    """Print a number with so many significant digits, a small one without a long tail."""
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
