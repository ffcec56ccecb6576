"""Leave-pair-out statistics: what is known of pairs without their own two drugs' interactions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]


class LeavePairOut(NamedTuple):
    """Of every pair, its own interactions left out.

    Attributes
    ----------
    own : int array, shape (n,)
        Interactions between the two drugs.
    new : bool array, shape (n, 2)
        Whether a drug has no other interaction.
    frequencies : float64 array, shape (n, n_types)
        Of the types among all other interactions, no type at zero.
    """

    own: npt.NDArray[np.int64]
    new: npt.NDArray[np.bool_]
    frequencies: npt.NDArray[np.float64]


def own_interactions(
    facts: IntArray, pairs: IntArray, n_drugs: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which facts are between the two drugs of a pair, in either order.

    Returns
    -------
    row, pair, of
        Rows of ``facts`` and the unordered pair that each belongs to, and the unordered pair of
        every given one, (n,).
    """

    def code(a: IntArray, b: IntArray) -> npt.NDArray[np.int64]:
        return np.minimum(a, b).astype(np.int64) * n_drugs + np.maximum(a, b)

    distinct, of = np.unique(code(pairs[:, 0], pairs[:, 1]), return_inverse=True)
    # most facts have no drug of these pairs, so few are looked up
    drug = np.zeros(n_drugs, bool)
    drug[pairs.ravel()] = True
    row = np.flatnonzero(drug[facts[:, 0]] & drug[facts[:, 2]])
    codes = code(facts[row, 0], facts[row, 2])
    at = np.minimum(np.searchsorted(distinct, codes), len(distinct) - 1)
    found = distinct[at] == codes
    return row[found], at[found], of.ravel()


def leave_pair_out(facts: IntArray, pairs: IntArray, n_drugs: int, n_types: int) -> LeavePairOut:
    """Count the interactions around pairs (n, 2), those of the same two drugs left out."""
    row, pair, of = own_interactions(facts, pairs, n_drugs)
    own = np.zeros((of.max(initial=-1) + 1, n_types), np.int64)
    np.add.at(own, (pair, facts[row, 1]), 1)
    own = own[of]
    degree = np.bincount(facts[:, [0, 2]].ravel(), minlength=n_drugs)
    count = own.sum(1)
    kinds = np.bincount(facts[:, 1], minlength=n_types) - own + 1.0 / n_types
    return LeavePairOut(
        count, degree[pairs] == count[:, None], kinds / kinds.sum(1, keepdims=True)
    )  # fmt: skip
