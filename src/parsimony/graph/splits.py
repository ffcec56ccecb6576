"""Splitting one file of facts into train, valid and test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit, InvalidParameter

__all__ = ["held_out", "split_triples"]

IntArray = npt.NDArray[np.int32]


def split_triples(
    triples: np.ndarray, seed: int, ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split triples at random, keeping every entity and relation in train.

    Parameters
    ----------
    triples : int32 array, shape (n, 3)
    seed : int
        The same seed gives the same split.
    ratios : tuple of float
        Fractions of train, valid and test; they sum to 1.

    Returns
    -------
    train, valid, test : int32 arrays, shape (·, 3)
        Each in the order of ``triples``. If fewer facts than requested can be spared without
        losing an entity or relation from train, valid and test share them in proportion.

    Raises
    ------
    InvalidParameter
        Ratios are negative or do not sum to 1.
    EmptySplit
        Too few facts to have at least one each in valid and test.
    """
    valid, test = held_out(triples, np.arange(len(triples), dtype=np.int32), seed, ratios)
    part = np.zeros(len(triples), np.int8)
    part[valid], part[test] = 1, 2
    return triples[part == 0], triples[part == 1], triples[part == 2]


def held_out(
    triples: np.ndarray,
    rows: IntArray,
    seed: int,
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1),
    most: int | None = None,
) -> tuple[IntArray, IntArray]:
    """Return the rows of valid and of test, as :func:`split_triples` splits those chosen.

    Parameters
    ----------
    triples : int32 array, shape (·, 3)
        May be memory-mapped; only rows that are looked through are read.
    rows : int32 array, shape (n,)
        The chosen ones, ascending; shuffled in place. Beside them memory is a number a name and
        some 50 bytes for each row that is looked through: four times those held out, and again as
        many until enough can be spared.
    seed, ratios
        As of :func:`split_triples`.
    most : int, optional
        Most facts of valid, and of test.
    """
    if min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-9:
        raise InvalidParameter(f"ratios {ratios} must be non-negative and add up to 1")
    n = len(rows)
    np.random.default_rng(seed).shuffle(rows)
    n_valid, n_test = (round(ratio * n) for ratio in ratios[1:])
    if most is not None:
        n_valid, n_test = min(n_valid, most), min(n_test, most)
    free = _free(triples, rows, n_valid + n_test)
    if n_valid + n_test > len(free):
        shrink = len(free) / (n_valid + n_test)
        n_valid, n_test = int(n_valid * shrink), int(n_test * shrink)
    for name, ratio, count in (("valid", ratios[1], n_valid), ("test", ratios[2], n_test)):
        if ratio > 0 and count == 0:
            raise EmptySplit(
                f"too few facts to hold any out for {name}: of {n} facts only {len(free)} can be "
                "spared, because every entity and relation must keep one in train",
                remedy="give more facts, or a folder with train.txt, valid.txt and test.txt",
            )
    return free[:n_valid], free[n_valid : n_valid + n_test]


def _free(triples: np.ndarray, rows: IntArray, enough: int) -> IntArray:
    """Return those rows none of whose entities and relations occurs there for the first time.

    The first occurrence of each in the order of ``rows`` must stay in train. They are looked
    through from the front until there are ``enough``, as what follows does not matter.
    """
    entities, relations = _FirstSeen(), _FirstSeen()
    found, n_found, begin, size = [rows[:0]], 0, 0, max(4 * enough, 1)
    while n_found < enough and begin < len(rows):
        part = rows[begin : begin + size]
        order = np.argsort(part)  # read from front to back
        facts = np.empty((len(part), 3), np.int32)
        facts[order] = triples[part[order]]
        needed = entities.first(facts[:, [0, 2]]) | relations.first(facts[:, [1]])
        found.append(part[~needed])
        n_found += len(found[-1])
        begin, size = begin + size, 2 * size
    return np.concatenate(found)


class _FirstSeen:
    """The names seen so far."""

    def __init__(self) -> None:
        self._seen = np.zeros(0, bool)

    def first(self, ids: IntArray) -> npt.NDArray[np.bool_]:
        """Mark the rows of ids (n, k) in which one is met for the first time, (n,)."""
        grown = max(int(ids.max(initial=-1)) + 1, len(self._seen))
        self._seen = np.pad(self._seen, (0, grown - len(self._seen)))
        n, k = ids.shape
        new = np.flatnonzero(~self._seen[ids.ravel()])
        own = ids.ravel()[new]
        at = np.empty(grown, np.int32)
        at[own[::-1]] = new[::-1] // k  # of an id that is repeated the last assignment stays
        found = np.zeros(n, bool)
        found[at[own]] = True
        self._seen[own] = True
        return found
