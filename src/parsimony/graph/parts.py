"""Facts in parts: what is counted by sorting is counted a part after the other, within memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["blocks", "by_node", "relation_counts", "stated"]

#: facts of a part; sorting one takes some hundred bytes a fact
PART = 1 << 23
_BLOCK = 1 << 20
_TOGETHER = 8  # parts that are picked out in one pass
_BUCKETS = 16  # bits of the number of a bucket of neighbouring nodes, by which parts are cut
_SLOTS = 22  # bits of the number of a place by which keys that nobody asks about are passed over


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
        About so many facts a part, :data:`PART` by default, and at least those of a node; of a
        large graph at least those of a few neighbouring ones. Eight parts are picked out at a time,
        in one pass over all facts.
    """
    most = most or PART
    if len(triples) <= most:
        yield triples
        return
    shift = max(n_entities.bit_length() - _BUCKETS, 0)
    ptr = np.zeros((n_entities >> shift) + 2, np.int64)
    for block in blocks(triples):
        ptr[1:] += np.bincount(node(block) >> shift, minlength=len(ptr) - 1)
    np.cumsum(ptr, out=ptr)
    part, low, n_parts = np.empty(len(ptr) - 1, np.int64), 0, 0
    while low < len(part):
        high = max(int(np.searchsorted(ptr, ptr[low] + most, "right")) - 1, low + 1)
        part[low:high], low, n_parts = n_parts, high, n_parts + 1
    for first in range(0, n_parts, _TOGETHER):
        n = min(_TOGETHER, n_parts - first)
        place = np.where((first <= part) & (part < first + n), part - first, n).astype(np.uint8)
        found: list[list[np.ndarray]] = [[] for _ in range(n)]
        for block in blocks(triples):
            own = place[node(block) >> shift]
            ends = np.cumsum(np.bincount(own, minlength=n)[:n])
            chosen = block[np.argsort(own, kind="stable")[: ends[-1]]]
            for pile, rows in zip(found, np.split(chosen, ends[:-1]), strict=True):
                pile.append(rows)
        for pile in found:
            yield np.concatenate(pile)
            pile.clear()


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
    maybe = np.zeros(1 << _SLOTS, bool)
    maybe[_slot(wanted)] = True
    for block in blocks(triples) if len(wanted) else ():
        own = key(block)
        own = own[maybe[_slot(own)]]  # few are left to be looked for
        at = np.minimum(np.searchsorted(wanted, own), len(wanted) - 1)
        found[at[wanted[at] == own]] = True
    return found[place]


def _slot(keys: np.ndarray) -> np.ndarray:
    """Return the highest bits of each key, multiplied (Knuth's hash)."""
    slot: np.ndarray = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return slot >> np.uint64(64 - _SLOTS)


def relation_counts(triples: np.ndarray, n_relations: int) -> np.ndarray:
    """Return how many facts each relation has, int64, shape (n_relations,)."""
    count = np.zeros(n_relations, np.int64)
    for block in blocks(triples):
        count += np.bincount(block[:, 1], minlength=n_relations)
    return count
