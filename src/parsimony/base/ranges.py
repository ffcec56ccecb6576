"""Which values of a parameter ``parsimony tune`` tries, declared beside the parameter.

``lr: float = Field(0.003, …, json_schema_extra=tuned(5e-4, 0.02, log=True))``
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Tuned", "tuned", "tuned_among"]

#: of the decades of a range that can be zero, the part that stands for it
_ZERO = 1 / 8
_DIGITS = 3  # of a number that is tried: `--set` lines are read by people


@dataclass(frozen=True)
class Tuned:
    """The values that are tried: numbers between two ends, or a few by themselves.

    Attributes
    ----------
    low, high
        Ends of the range, which it holds.
    log
        Whether it is even in the logarithm.
    zero
        Whether it also holds 0; in a logarithm the lowest eighth of the decades stands for it.
    choices
        The values by themselves; then there is no range.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    zero: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holding(self, value: Any) -> Tuned:
        """Return the range grown as far as it must to hold a value."""
        if self.choices:
            return self if value in self.choices else replace(self, choices=(*self.choices, value))
        if self.zero and value == 0:
            return self
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def coded(self, value: Any) -> Any:
        """Return what stands for a value where zero has no logarithm."""
        return self.low if self.zero and value == 0 else value

    def decoded(self, number: Any) -> Any:
        """Return the value that a number of the range stands for, to three digits."""
        if self.choices or self.whole:
            return number
        if self.zero and number <= self.low * (self.high / self.low) ** _ZERO:
            return 0.0
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)

    def __str__(self) -> str:
        """Print ``0 or 1e-06 … 0.001, log``, or ``16 | 32 | 64``."""
        if self.choices:
            return " | ".join(str(c).lower() if c is None or isinstance(c, bool) else str(c)
                              for c in self.choices)  # fmt: skip
        ends = f"{self.low:g} … {self.high:g}" + ", log" * self.log
        return "0 or " * self.zero + ends


def tuned(low: float, high: float, *, log: bool = False, zero: bool = False) -> dict[str, Any]:
    """Mark a number as tuned between two ends; whole ones are tuned in whole steps."""
    return {"tuned": {"low": low, "high": high, "log": log, "zero": zero}}


def tuned_among(*choices: Any) -> dict[str, Any]:
    """Mark a parameter as tuned among a few values."""
    return {"tuned": {"choices": list(choices)}}
