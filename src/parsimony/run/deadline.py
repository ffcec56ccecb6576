"""Until when something has to be done."""

from __future__ import annotations

import math
import time

__all__ = ["Deadline"]


class Deadline:
    """Seconds that may be used, counted from a moment on.

    Parameters
    ----------
    seconds
        How many; None: as many as it takes.
    began
        The moment, by :func:`time.perf_counter`; now where left out.

    Attributes
    ----------
    seconds
        As given, or infinity.
    """

    def __init__(self, seconds: float | None = None, *, began: float | None = None) -> None:
        self.seconds = math.inf if seconds is None else float(seconds)
        self.began = time.perf_counter() if began is None else began

    def __repr__(self) -> str:
        """What is left of how much."""
        return f"Deadline({self.left():.1f} of {self.seconds:.1f} s left)"

    @property
    def limited(self) -> bool:
        """Whether it ever comes."""
        return math.isfinite(self.seconds)

    def spent(self) -> float:
        """Seconds that have passed since it began."""
        return time.perf_counter() - self.began

    def left(self) -> float:
        """Seconds that are left, at least 0; infinity where there is no limit."""
        return max(self.seconds - self.spent(), 0.0)

    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.left() <= 0

    def part(self, share: float, *, keep: float = 0.0) -> Deadline:
        """A sooner one: a share of what is left beyond ``keep`` seconds."""
        return Deadline(max(self.left() - keep, 0.0) * share if self.limited else None)

    def after(self, seconds: float) -> Deadline:
        """The same, of which so many seconds are gone already, in earlier parts of a run."""
        return Deadline(self.seconds, began=self.began - seconds)
