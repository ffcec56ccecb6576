"""Durations as people write them."""

from __future__ import annotations

import re

from parsimony.errors import InvalidParameter

_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str) -> float:
    """Seconds of "20m", "1h30m", "90s" or "90".

    Raises
    ------
    InvalidParameter
        Not such a duration, or zero.
    """
    match = _PATTERN.fullmatch(text.strip().lower())
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    total = float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(seconds or 0)
    if not total > 0:
        raise InvalidParameter(f"not a duration: {text!r}", remedy="write 20m, 1h30m or 90s")
    return total
