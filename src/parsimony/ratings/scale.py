"""The scale of ratings, stated or as the table shows it, and whether every rating is on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from parsimony.errors import FormatError

__all__ = ["require_once", "scale_of"]

Scale = tuple[float, float]
Where = Callable[[int], str]
_LARGEST = float(np.finfo(np.float32).max)
_EXACT = 1e-3  # of the scale: as much may be lost where ratings are kept in 32 bits


def scale_of(
    ratings: Sequence[float], where: Where, stated: Scale | None = None
) -> tuple[Scale, tuple[str, ...]]:
    """Return the scale of ratings and, where it was not stated, a note on how it was found.

    Parameters
    ----------
    ratings
        Finite numbers.
    where
        ``file:line`` of each.
    stated
        Lowest and highest possible rating.

    Raises
    ------
    FormatError
        A rating outside the stated scale, one that no 32-bit number holds, or nothing but equal
        ratings; ``where`` names the line.
    """
    values = np.asarray(ratings, np.float64)
    i_low, i_high = int(values.argmin()), int(values.argmax())
    found = float(values[i_low]), float(values[i_high])
    low, high = stated or found
    for i in (i_low, i_high):
        if abs(values[i]) > _LARGEST:
            raise FormatError(
                f"the rating {values[i]:g} is too large",
                remedy="write ratings in a smaller unit",
                where=where(i),
            )
        if not low <= values[i] <= high:
            wider = f"{min(low, values[i]):g},{max(high, values[i]):g}"
            raise FormatError(
                f"the rating {values[i]:g} is outside the scale {low:g} … {high:g}",
                remedy=f"mend it, or state a wider scale: --set scale={wider}",
                where=where(i),
            )
    if low == high:
        raise FormatError(
            f"every rating is {low:g}",
            remedy="state the scale if others are possible: --set scale=LOW,HIGH",
            where=where(0),
        )
    if np.abs(values.astype(np.float32) - values).max() > _EXACT * (high - low):
        raise FormatError(
            f"the ratings from {low:.17g} to {high:.17g} differ in more digits than are kept",
            remedy=f"subtract {low:.17g} from all of them",
            where=where(i_low),
        )
    if stated is not None:
        return stated, ()
    return found, (
        f"the scale of the ratings is taken to be {low:g} … {high:g}, their minimum and maximum; "
        "state another one by --set scale=LOW,HIGH",
    )


def require_once(users: Sequence[str], items: Sequence[str], where: Where) -> None:
    """Refuse an item that a user has rated twice: the ratings may differ, or tell each other.

    Raises
    ------
    FormatError
        ``where`` names the second line.
    """
    seen: dict[tuple[str, str], int] = {}
    for i, pair in enumerate(zip(users, items, strict=True)):
        if (first := seen.setdefault(pair, i)) != i:
            line = where(first).rpartition(":")[2]
            raise FormatError(
                f"item {pair[1]!r} is rated twice by one user, first in line {line}",
                remedy="keep one of the rows",
                where=where(i),
            )
