"""Splitting one file of facts into train, valid and test."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from parsimony.errors import EmptySplit, InvalidParameter

__all__ = ["split_parts", "split_triples"]


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
    part = split_parts(lambda: [triples], len(triples), seed, ratios)
    return triples[part == 0], triples[part == 1], triples[part == 2]


def split_parts(
    blocks: Callable[[], Iterable[np.ndarray]],
    n: int,
    seed: int,
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1),
    most: int | None = None,
) -> np.ndarray:
    """Say which part each triple falls to, as :func:`split_triples` does, for facts in blocks.

    Parameters
    ----------
    blocks : callable
        Returns all facts, in order, as arrays (·, 3).
    n : int
        How many there are. Memory is 5 bytes for each, and about 60 for each of those looked
        through: four times those held out, or all where these do not suffice.
    seed, ratios
        As of :func:`split_triples`.
    most : int, optional
        Most facts of valid, and of test.

    Returns
    -------
    int8 array, shape (n,)
        0, 1 and 2 for train, valid and test.
    """
    if min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-9:
        raise InvalidParameter(f"ratios {ratios} must be non-negative and add up to 1")
    order = np.arange(n, dtype=np.int32)
    np.random.default_rng(seed).shuffle(order)
    n_valid, n_test = (round(ratio * n) for ratio in ratios[1:])
    if most is not None:
        n_valid, n_test = min(n_valid, most), min(n_test, most)
    # Looked through from the front until enough are found, as the rest does not matter.
    looked = min(n, 4 * (n_valid + n_test))
    free = _free(blocks, order[:looked])
    if n_valid + n_test > len(free) and looked < n:
        free = _free(blocks, order)
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
    part = np.zeros(n, dtype=np.int8)
    part[free[:n_valid]] = 1
    part[free[n_valid : n_valid + n_test]] = 2
    return part


def _free(blocks: Callable[[], Iterable[np.ndarray]], rows: np.ndarray) -> np.ndarray:
    """Return those rows none of whose entities and relations occurs there for the first time.

    The first occurrence of each in random order must stay in train.
    """
    order = np.argsort(rows)
    ascending, chosen, at = rows[order], [np.empty((0, 3), np.int32)], 0
    for block in blocks():
        begin, end = np.searchsorted(ascending, (at, at + len(block)))
        chosen.append(block[ascending[begin:end] - at])
        at += len(block)
    triples = np.empty((len(rows), 3), np.int32)
    triples[order] = np.concatenate(chosen)
    needed = np.zeros(len(rows), dtype=bool)
    needed[np.unique(triples[:, 1], return_index=True)[1]] = True
    ends = triples[:, [0, 2]].ravel()
    needed[np.unique(ends, return_index=True)[1] // 2] = True
    return rows[~needed]
