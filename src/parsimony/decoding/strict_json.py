"""JSON as everything is written: finite numbers only, which every reader of JSON understands."""

from __future__ import annotations

import json
import math
from typing import Any

from parsimony.errors import InvalidMeasure

__all__ = ["json_text", "plain"]


def json_text(value: Any, **style: Any) -> str:
    """Return a value as JSON text.

    Parameters
    ----------
    value
        Of dicts, lists, strings, numbers and None.
    **style
        ``indent``, ``ensure_ascii`` or ``sort_keys``, as of :func:`json.dumps`.

    Raises
    ------
    InvalidMeasure
        A number is NaN or infinite; the message says which one.
    """
    try:
        return json.dumps(value, allow_nan=False, **style)
    except ValueError:
        place = _not_finite(value)
        if place is None:  # a circle
            raise
        raise InvalidMeasure(
            f"{place} is not finite and cannot be written as JSON",
            remedy="look at the data and the predictions that it was computed from",
        ) from None


def plain(value: Any) -> Any:
    """Replace what JSON cannot represent: NumPy scalars by Python's, nan and inf by null."""
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # The bytes of a path that is not UTF-8 are halves of surrogate pairs, which no JSON has.
    return str(value).encode(errors="backslashreplace").decode()


def _not_finite(value: Any, place: str = "the value") -> str | None:
    """Where the first number stands that is not finite: ``test.metrics.mse``."""
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else ()
    )
    for key, item in items:
        inside = str(key) if place == "the value" else f"{place}.{key}"
        if (found := _not_finite(item, inside)) is not None:
            return found
    return None
