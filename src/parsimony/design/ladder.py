"""The ladder of trainings that a search climbs: given, or derived from the final training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from parsimony.design.settings import Rung
from parsimony.errors import InvalidParameter

__all__ = ["check_ladder", "ladder_of"]


def ladder_of(pairs: Any, final: Rung, *, chunks: int = 1) -> list[Rung]:
    """Return the rungs from the shortest training to the longest.

    Parameters
    ----------
    pairs
        Pairs of dimension and epochs, or None: the final dimension for a tenth of the final
        epochs, then for a quarter. (Structures are ranked very differently by smaller dimensions:
        ``benchmarks/proxies.py``.)
    final
        The training that the winner gets.
    chunks
        What every dimension must be divisible by.

    Raises
    ------
    InvalidParameter
        Not pairs of positive whole numbers, or a dimension that cannot be cut.
    """
    if pairs is None:
        derived = [Rung(final.dim, max(1, final.epochs // share)) for share in (10, 4)]
        return derived[:1] if derived[0] == derived[1] else derived
    rungs = []
    for pair in pairs if isinstance(pairs, (list, tuple)) else [pairs]:
        whole = isinstance(pair, (list, tuple)) and len(pair) == 2
        if not whole or not all(isinstance(n, int) and not isinstance(n, bool) for n in pair):
            raise InvalidParameter(
                f"a rung of the ladder is {pair!r}",
                remedy="give pairs of dimension and epochs: --set ladder=[[64,5],[128,20]]",
            )
        if pair[0] % chunks:
            raise InvalidParameter(
                f"a rung's dimension of {pair[0]} cannot be cut into {chunks} equal chunks",
                remedy=f"use multiples of {chunks}",
            )
        rungs.append(Rung(pair[0], pair[1]))
    check_ladder(rungs)
    return rungs


def check_ladder(ladder: Sequence[Rung]) -> None:
    """Refuse no rung, and rungs that do not grow.

    Raises
    ------
    InvalidParameter
    """
    steps = pairwise(ladder)
    grows = all(a != b and a.dim <= b.dim and a.epochs <= b.epochs for a, b in steps)
    if not ladder or not grows:
        raise InvalidParameter(
            f"the rungs {[(r.dim, r.epochs) for r in ladder]} do not grow",
            remedy="give (dimension, epochs) from the shortest training to the longest",
        )
