"""The ladder of trainings that a search climbs: given, or derived from the final training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from parsimony.errors import InvalidParameter
from parsimony.search.settings import Rung

__all__ = ["check_ladder", "ladder_of"]


def ladder_of(rungs: Any, final: Rung, *, chunks: int = 1, parts: bool = False) -> list[Rung]:
    """Return the rungs from the shortest training to the longest.

    Parameters
    ----------
    rungs
        Dimension, epochs and, where it is not 1, the fraction of the entities of each rung; None:
        the final dimension for a tenth of the final epochs, then for a quarter. (Structures are
        ranked very differently by smaller dimensions: ``benchmarks/proxies.py``.)
    final
        The training that the winner gets.
    chunks
        What every dimension must be divisible by.
    parts
        Whether a trial can see a fraction of the entities.

    Raises
    ------
    InvalidParameter
        Not positive whole numbers and a fraction, a fraction where there are no parts, or a
        dimension that cannot be cut.
    """
    if rungs is None:
        derived = [Rung(final.dim, max(1, final.epochs // part)) for part in (10, 4)]
        return derived[:1] if derived[0] == derived[1] else derived
    ladder = [_rung(rung, chunks) for rung in (rungs if isinstance(rungs, list) else [rungs])]
    if not parts and any(rung.entities < 1 for rung in ladder):
        raise InvalidParameter(
            "trials of this space cannot see a part of the entities",
            remedy="give dimension and epochs alone: --set ladder=[[64,5],[128,20]]",
        )
    check_ladder(ladder)
    return ladder


def _rung(given: Any, chunks: int) -> Rung:
    numbers = given if isinstance(given, (list, tuple)) else []
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in numbers[:2])
    fractions = all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers[2:])
    if len(numbers) not in (2, 3) or not whole or not fractions:
        raise InvalidParameter(
            f"a rung of the ladder is {given!r}",
            remedy="give dimension, epochs and perhaps a fraction of the entities: "
            "--set ladder=[[64,5,0.3],[64,5],[128,20]]",
        )
    if numbers[0] % chunks:
        raise InvalidParameter(
            f"a rung's dimension of {numbers[0]} cannot be cut into {chunks} equal chunks",
            remedy=f"use multiples of {chunks}",
        )
    return Rung(*numbers)


def check_ladder(ladder: Sequence[Rung]) -> None:
    """Refuse no rung, and rungs that do not grow.

    Raises
    ------
    InvalidParameter
    """
    grows = all(
        a != b and a.dim <= b.dim and a.epochs <= b.epochs and a.entities <= b.entities
        for a, b in pairwise(ladder)
    )
    if not ladder or not grows:
        raise InvalidParameter(
            f"the rungs {[rung.to_list() for rung in ladder]} do not grow",
            remedy="go from the shortest training to the longest: neither dimension nor epochs "
            "nor the fraction of the entities may fall",
        )
