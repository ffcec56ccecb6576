"""Subgroups of pairs by ranges of a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["buckets"]


def buckets(
    name: str, values: npt.NDArray[Any], bounds: Sequence[float]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the members of each range of values, by name; empty subgroups are left out.

    Parameters
    ----------
    name
        With {} in place of the range: ``"{} facts"`` gives ``"under 50 facts"``.
    values
        (n,); those below the first bound are in no subgroup.
    bounds
        Lower bounds; a first bound of 0 is written as "under" the second.
    """
    whole = all(isinstance(bound, int) for bound in bounds)
    found = {}
    for low, high in zip(bounds, [*bounds[1:], np.inf], strict=True):
        if np.isinf(high):
            words = f"{low:,} and more"
        elif low == 0:
            words = f"under {high:,}"
        else:
            words = f"{low:,} to {high - 1 if whole else high:,}"
        found[name.format(words)] = (values >= low) & (values < high)
    return {key: kept for key, kept in found.items() if kept.any()}
