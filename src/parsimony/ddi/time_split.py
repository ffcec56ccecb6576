"""Pairs divided by their drugs, and a split by time: the drugs approved last are the emerging ones.

The newest tenth of the drugs whose year is known are tested, the tenth before them validates; whole
years, so that no year stands on two sides. Drugs without a year count as known ones. Pairs of a
test and a validation drug are left out, as in the published splits by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit

__all__ = ["divide", "split_by_time", "years_of"]

IntArray = npt.NDArray[np.int32]
SHARE = 0.1  # of the dated drugs, for validation and for test each
SHARE_KNOWN = 0.1  # of pairs of known drugs that S0 validates, and tests, on
_YEAR = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")


def years_of(dates: Iterable[str]) -> npt.NDArray[np.int64]:
    """First year that each text names, 0 where it names none."""
    found = (_YEAR.search(date) for date in dates)
    return np.array([int(match[0]) if match else 0 for match in found], np.int64)


def split_by_time(
    rows: IntArray, years: npt.NDArray[np.int64], *, seed: int = 0
) -> tuple[dict[str, IntArray], tuple[int, int]]:
    """Divide pairs by the years of their drugs.

    Parameters
    ----------
    rows
        (n, 3) distinct (drug1, type, drug2).
    years
        (n_drugs,) year of approval, 0 where unknown.
    seed
        Draws the pairs of known drugs that S0 asks.

    Returns
    -------
    pairs, (valid_from, test_from)
        ``train``, ``valid_S0`` … ``test_S2``, and the first years of validation and test drugs.

    Raises
    ------
    EmptySplit
        Too few years to divide by.
    """
    valid_from, test_from = _limits(years)
    side = (years >= valid_from).astype(np.int64) + (years >= test_from)
    pairs = divide(rows, side, seed=seed)
    if not len(pairs["train"]):
        raise EmptySplit("no pair of two known drugs", remedy="give more drugs their dates")
    return pairs, (valid_from, test_from)


def divide(rows: IntArray, side: npt.NDArray[np.int64], *, seed: int = 0) -> dict[str, IntArray]:
    """Divide rows (n, 3) by the sides of their drugs: 0 known, 1 of validation, 2 of the test.

    A tenth of the pairs of known drugs validates S0, another tenth tests it; all rows of a pair go
    the same way. Pairs of a test and a validation drug are left out.
    """
    ends = np.sort(side[rows[:, [0, 2]]], axis=1)
    known = rows[(ends == 0).all(1)]
    _, first, number = np.unique(
        np.sort(known[:, [0, 2]], axis=1), axis=0, return_index=True, return_inverse=True
    )
    number = np.argsort(np.argsort(first))[number.ravel()]  # pairs in the order of their rows
    place = np.empty(len(first), np.int64)
    place[np.random.default_rng(seed).permutation(len(first))] = np.arange(len(first))
    held = round(SHARE_KNOWN * len(first))
    part = np.minimum(place // max(held, 1), 2)[number] if held else np.full(len(known), 2)
    pairs = {"train": known[part == 2]}
    for at, split in ((1, "valid"), (2, "test")):
        pairs[f"{split}_S0"] = known[part == at - 1]
        pairs[f"{split}_S1"] = rows[(ends[:, 0] == 0) & (ends[:, 1] == at)]
        pairs[f"{split}_S2"] = rows[(ends == at).all(1)]
    return pairs


def _limits(years: npt.NDArray[np.int64]) -> tuple[int, int]:
    """First years of validation and of test drugs: the years that come nearest to the shares."""
    dated = years[years > 0]
    distinct = np.unique(dated)
    if len(distinct) < 3:
        raise EmptySplit(
            f"{len(distinct)} years of approval are known; a split by time needs three",
            remedy="fill the column approval_date of drugs.tsv, or choose another split",
        )
    from_year = np.array([(dated >= year).sum() for year in distinct[1:]])
    test = int(np.argmin(np.abs(from_year[1:] - SHARE * len(dated)))) + 1
    valid = int(np.argmin(np.abs(from_year[:test] - from_year[test] - SHARE * len(dated))))
    return int(distinct[1:][valid]), int(distinct[1:][test])
