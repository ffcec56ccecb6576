"""Facts in parts: what is counted by sorting is counted a part after the other, within memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["blocks", "by_node", "relation_counts", "stated"]

#: facts of a part; sorting one takes some hundred bytes a fact
PART = 1 << 23
_BLOCK = 1 << 21


def blocks(triples: np.ndarray, size: int = _BLOCK) -> Iterator[np.ndarray]:
    """Yield facts, so many at a time."""
    for at in range(0, len(triples), size):
        yield triples[at : at + size]


def by_node(
    triples: np.ndarray,
    node: Callable[[np.ndarray], np.ndarray],
    n_entities: int,
    most: int | None = None,
) -> Iterator[np.ndarray]:
    """Yield the facts in parts by one of their nodes: those of a node are in one part.

    Parameters
    ----------
    triples : int32 array, shape (n, 3)
    node : callable
        Returns the node of each fact of a block, (·,).
    n_entities : int
    most : int, optional
        About so many facts a part, :data:`PART` by default, and at least those of a node. Each part
        is a pass over all facts.
    """
    most = most or PART
    if len(triples) <= most:
        yield triples
        return
    ptr = np.zeros(n_entities + 1, np.int64)
    for block in blocks(triples):
        ptr[1:] += np.bincount(node(block), minlength=n_entities)
    np.cumsum(ptr, out=ptr)
    low = 0
    while low < n_entities:
        high = max(int(np.searchsorted(ptr, ptr[low] + most, "right")) - 1, low + 1)
        part = []
        for block in blocks(triples):
            own = node(block)
            part.append(block[(low <= own) & (own < high)])
        yield np.concatenate(part)
        low = high


def stated(
    keys: np.ndarray, triples: np.ndarray, key: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Say which of some keys a fact has, in one pass over the facts.

    Parameters
    ----------
    keys : int64 array, shape (m,)
        What is asked about, far less than there are facts.
    triples : int32 array, shape (n, 3)
    key : callable
        Returns the int64 keys of the facts of a block, (·,).

    Returns
    -------
    bool array, shape (m,)
    """
    wanted, place = np.unique(keys, return_inverse=True)
    found = np.zeros(len(wanted), dtype=bool)
    for block in blocks(triples) if len(wanted) else ():
        own = key(block)
        at = np.minimum(np.searchsorted(wanted, own), len(wanted) - 1)
        found[at[wanted[at] == own]] = True
    return found[place]


def relation_counts(triples: np.ndarray, n_relations: int) -> np.ndarray:
    """Return how many facts each relation has, int64, shape (n_relations,)."""
    count = np.zeros(n_relations, np.int64)
    for block in blocks(triples):
        count += np.bincount(block[:, 1], minlength=n_relations)
    return count
