"""Negatives: pairs that are not observed, since labels are only ever observed to be there.

Of an observed pair one endpoint, drawn by a fair coin, is replaced by another drug of the same
role: a known drug by a known one, an emerging one by one that emerges in the same split
(docs/methods/emergnn.md, eq. 8). A negative is never an observed pair, nor a drug with itself,
and is scored for the labels of its pair. The published negatives ignore the roles, and a quarter
of them are pairs that were observed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from parsimony.errors import DataError

__all__ = ["draw_negatives", "unordered"]

IntArray = npt.NDArray[np.int32]
ROUNDS = 16  # of drawing at random, before what is possible is counted out


def unordered(pairs: IntArray, n_drugs: int) -> npt.NDArray[np.int64]:
    """One number for each pair (n, 2), the same for both orders."""
    ends = np.sort(pairs, axis=1).astype(np.int64)
    codes: npt.NDArray[np.int64] = ends[:, 0] * n_drugs + ends[:, 1]
    return codes


def draw_negatives(
    pairs: IntArray,
    role: npt.NDArray[np.integer],
    observed: npt.NDArray[np.int64],
    generator: np.random.Generator,
    label: Callable[[int], str] = str,
) -> IntArray:
    """Draw a negative for every pair.

    Parameters
    ----------
    pairs
        (n, 2) drugs.
    role
        (n_drugs,) drugs replace only drugs of the same number; those below 0 none.
    observed
        Pairs that no negative may be, as :func:`unordered` writes them.
    generator
        Draws.
    label
        A drug's name, for the error message.

    Returns
    -------
    int32 array, shape (n, 2)
        Each agrees with its pair in one place.

    Raises
    ------
    DataError
        Every pair that differs from one in one endpoint of the same role is observed.
    """
    n_drugs = len(role)
    taken = np.unique(observed)
    members = {r: np.flatnonzero(role == r) for r in np.unique(role[pairs]).tolist()}
    side = generator.integers(2, size=len(pairs))
    found = pairs.copy()
    left = np.arange(len(pairs))
    for _ in range(ROUNDS):
        if not len(left):
            return found
        place = side[left]
        trial = pairs[left].copy()
        wanted = role[pairs[left, place]]
        for r, drugs in members.items():
            rows = np.flatnonzero(wanted == r)
            if r >= 0 and len(rows):
                trial[rows, place[rows]] = generator.choice(drugs, len(rows))
        found[left] = trial
        left = left[~_allowed(trial, pairs[left], taken, n_drugs)]
    for i in left.tolist():
        trial = _counted_out(pairs[i], int(side[i]), role, taken)
        if not len(trial):
            first, second = map(label, pairs[i].tolist())
            raise DataError(
                f"{first} and {second} are observed with every drug of each other's role: no "
                "negative is left",
                remedy="leave that pair out, or list more drugs",
            )
        found[i] = trial[generator.integers(len(trial))]
    return found


def _allowed(
    trial: IntArray, pairs: IntArray, taken: npt.NDArray[np.int64], n_drugs: int
) -> npt.NDArray[np.bool_]:
    changed = (trial != pairs).any(1) & (trial[:, 0] != trial[:, 1])
    allowed: npt.NDArray[np.bool_] = changed & ~np.isin(unordered(trial, n_drugs), taken)
    return allowed


def _counted_out(
    pair: IntArray, side: int, role: npt.NDArray[np.integer], taken: npt.NDArray[np.int64]
) -> IntArray:
    """All that is allowed, at the other endpoint where this one allows nothing."""
    for place in (side, 1 - side):
        drugs = np.flatnonzero((role == role[pair[place]]) & (role >= 0))
        trial = np.repeat(pair[None], len(drugs), 0)
        trial[:, place] = drugs
        trial = trial[_allowed(trial, np.repeat(pair[None], len(drugs), 0), taken, len(role))]
        if len(trial):
            break
    return trial
