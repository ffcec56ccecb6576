"""Distinct triples by one integer key per triple, which sorts about ten times faster than rows."""

from __future__ import annotations

import numpy as np

__all__ = ["distinct_keys", "distinct_triples", "first_occurrences", "triple_keys"]


def triple_keys(triples: np.ndarray, n_entities: int, n_relations: int) -> np.ndarray | None:
    """Return one int64 per triple, ordered as (head, relation, tail); None if it would overflow.

    Parameters
    ----------
    triples : integer array, shape (n, 3)
    n_entities, n_relations : int
        All ids are smaller.
    """
    if n_entities * n_entities * n_relations >= 1 << 62:
        return None
    head, relation, tail = triples.T.astype(np.int64)
    keys: np.ndarray = (head * n_relations + relation) * n_entities + tail
    return keys


def distinct_keys(keys: np.ndarray) -> np.ndarray:
    """Return the distinct ones of some integers, ascending, as ``numpy.unique`` does.

    By sorting: ``unique`` has hashed since NumPy 2.3, which takes far longer where millions differ.
    """
    keys = np.sort(keys)
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def first_occurrences(triples: np.ndarray, n_entities: int, n_relations: int) -> np.ndarray:
    """Return the row of the first occurrence of each distinct triple, in sorted order."""
    keys = triple_keys(triples, n_entities, n_relations)
    if keys is None:
        return np.unique(triples, axis=0, return_index=True)[1]
    return np.unique(keys, return_index=True)[1]


def distinct_triples(triples: np.ndarray, n_entities: int, n_relations: int) -> np.ndarray:
    """Return the distinct triples, sorted by head, relation, tail.

    Returns
    -------
    array of the dtype of ``triples``, shape (n_distinct, 3)
    """
    keys = triple_keys(triples, n_entities, n_relations)
    if keys is None:
        return np.unique(triples, axis=0)
    # Sorted values are enough, and decoded they are the triples: no order need be kept.
    keys = distinct_keys(keys)
    distinct = np.empty((len(keys), 3), triples.dtype)
    distinct[:, 2] = keys % n_entities if len(keys) else 0
    keys //= max(n_entities, 1)
    distinct[:, 1], distinct[:, 0] = keys % max(n_relations, 1), keys // max(n_relations, 1)
    return distinct
