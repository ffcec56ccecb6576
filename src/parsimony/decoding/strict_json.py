"""JSON as everything is written: finite numbers only, which every reader of JSON understands."""

from __future__ import annotations

import json
import math
from typing import Any

from parsimony.errors import InvalidMeasure

__all__ = ["json_text"]


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
