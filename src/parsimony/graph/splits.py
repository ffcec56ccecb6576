"""Splitting one file of facts into train, valid and test."""

from __future__ import annotations

import numpy as np

from parsimony.errors import EmptySplit, InvalidParameter

__all__ = ["split_triples"]


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
    if min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-9:
        raise InvalidParameter(f"ratios {ratios} must be non-negative and add up to 1")
    n = len(triples)
    order = np.random.default_rng(seed).permutation(n)
    shuffled = triples[order]
    # The first occurrence of each entity and relation in random order must stay in train.
    needed = np.zeros(n, dtype=bool)
    _, first = np.unique(shuffled[:, [0, 2]].ravel(), return_index=True)
    needed[first // 2] = True
    _, first = np.unique(shuffled[:, 1], return_index=True)
    needed[first] = True
    free = order[~needed]
    n_valid, n_test = round(ratios[1] * n), round(ratios[2] * n)
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
    return triples[part == 0], triples[part == 1], triples[part == 2]
