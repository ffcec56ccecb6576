"""Durations such as ``1h30m``, parsed and spelled."""

from __future__ import annotations

import re

from parsimony.errors import InvalidParameter

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_PATTERN = re.compile(rf"(?:{_NUMBER}h)?\s*(?:{_NUMBER}m)?\s*(?:{_NUMBER}s)?")


def parse_duration(text: str) -> float:
    """Return the seconds in "20m", "1h30m", "90s" or "90".

    Raises
    ------
    InvalidParameter
        Not a duration, or zero. "1h30" is refused as ambiguous: 30 minutes or 30 seconds?
    """
    plain = text.strip().lower()
    if re.fullmatch(_NUMBER, plain):
        plain += "s"
    match = _PATTERN.fullmatch(plain)
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    total = float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(seconds or 0)
    if not 0 < total < float("inf"):
        raise InvalidParameter(f"not a duration: {text!r}", remedy="write 20m, 1h30m or 90s")
    return total


def spell_duration(seconds: float) -> str:
    """Return "0.3 s", "12 s", "3.5 min", "1.2 h" or "1,200 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.3g} min"
    hours = seconds / 3600
    return f"{hours:.3g} h" if hours < 999.5 else f"{hours:,.0f} h"
