"""Facts grouped by node: dealt out to piles of neighbouring nodes, each pile arranged by itself.

Dealing reads and writes in order, and a pile fits into the processor's cache, so that no step waits
for memory at random. The oracle is :meth:`parsimony.graph.KnowledgeGraph.digraph`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

__all__ = ["count", "grouped", "mark_repeated", "number_facts"]

_PILE = 1 << 19  # edges of a pile
_NODES = 1 << 8  # neighbouring nodes that share a pile, a power of two
IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
#: the row at which a block of facts begins, and the block
Blocks = Iterable[tuple[int, IntArray]]


@kernel
def count(nodes, counts):  # type: ignore[no-untyped-def]
    """Count nodes (n,) into (n_entities,)."""
    for i in range(len(nodes)):
        counts[nodes[i]] += 1


@kernel
def number_facts(block, entities, relations):  # type: ignore[no-untyped-def]
    """Replace the codes of a block (n, 3) by the ids of entities and relations."""
    for i in range(len(block)):
        block[i, 0], block[i, 2] = entities[block[i, 0]], entities[block[i, 2]]
        block[i, 1] = relations[block[i, 1]]


@kernel
def _deal(block, first, low, high, n_relations, shift, pile, place, rows):  # type: ignore[no-untyped-def]
    """Write the edges at the nodes from ``low`` to ``high`` - 1 to their piles.

    IN  block (n, 3): the facts from row ``first`` on
        n_relations: added to the relation of an edge against its fact; below 0, there are none
        pile: of every 2^``shift`` nodes of the range
    INOUT place: where the next edge of a pile goes
    OUT rows (n_edges, 4): node, neighbour, relation, fact
    """
    for i in range(len(block)):
        head, r, tail = block[i, 0], block[i, 1], block[i, 2]
        if low <= head < high:
            p = pile[(head - low) >> shift]
            at = place[p]
            place[p] = at + 1
            rows[at, 0], rows[at, 1], rows[at, 2], rows[at, 3] = head, tail, r, first + i
        if n_relations >= 0 and low <= tail < high:
            p = pile[(tail - low) >> shift]
            at = place[p]
            place[p] = at + 1
            rows[at, 0], rows[at, 1] = tail, head
            rows[at, 2], rows[at, 3] = r + n_relations, first + i


@kernel
def _arrange(rows, low, n_relations, forward, backward, edges):  # type: ignore[no-untyped-def]
    """Write the edges of a pile to the places of their nodes.

    IN  rows (n, 4), low: as of :func:`_deal`
    INOUT forward, backward: where a node's next edge of either direction goes
    OUT edges (3, n): neighbours, relations, facts
    """
    for i in range(len(rows)):
        v = rows[i, 0] - low
        if n_relations >= 0 and rows[i, 2] >= n_relations:
            at = backward[v]
            backward[v] = at + 1
        else:
            at = forward[v]
            forward[v] = at + 1
        edges[0, at], edges[1, at], edges[2, at] = rows[i, 1], rows[i, 2], rows[i, 3]


def grouped(
    blocks: Callable[[], Blocks],
    heads: IntArray,
    tails: IntArray | None,
    n_relations: int,
    room: IntArray,
) -> Iterator[tuple[LongArray, IntArray]]:
    """Yield the edges of a pile of nodes after the other, in the order of the nodes.

    Those of a node stand together: those that go out, in the order of their facts, then the others.

    Parameters
    ----------
    blocks
        Returns all facts; asked for again for every part of the edges that fits into memory.
    heads, tails
        Facts that begin and end at each node; without ``tails`` edges go from head to tail alone.
    n_relations
        Added to the relation of an edge against its fact.
    room : int32 array, shape (n, 4)
        For the edges that are dealt out together: memory that is used again costs nothing.
        Only a node that has more of them takes more.

    Yields
    ------
    int64 array, shape (n_nodes + 1,)
        Where the edges of each node of the pile begin.
    int32 array, shape (3, n_edges)
        Their neighbours, relations and facts; overwritten by the one after the next.
    """
    added, shift = -1 if tails is None else n_relations, _NODES.bit_length() - 1
    ptr = np.zeros(len(heads) + 1, np.int64)
    np.cumsum(heads if tails is None else heads + tails, out=ptr[1:])
    for low, high in _cut(ptr, len(room), 1):
        own = ptr[low : high + 1] - ptr[low]
        piles = list(_cut(own, min(_PILE, max(len(room), 1)), _NODES))
        place = own[[begin for begin, _ in piles]]
        sizes = [-(-(end - begin) // _NODES) for begin, end in piles]
        pile = np.repeat(np.arange(len(piles), dtype=np.int32), sizes)
        rows = room if own[-1] <= len(room) else np.empty((own[-1], 4), np.int32)
        for first, block in blocks():
            _deal(block, first, low, high, added, shift, pile, place, rows)
        most = 3 * max(own[end] - own[begin] for begin, end in piles)
        buffers = cycle([np.empty(most, np.int32), np.empty(most, np.int32)])
        for begin, end in piles:
            at = own[begin : end + 1] - own[begin]
            forward = at[:-1].copy()
            backward = forward + heads[low + begin : low + end]
            edges = next(buffers)[: 3 * at[-1]].reshape(3, -1)
            _arrange(rows[own[begin] : own[end]], low + begin, added, forward, backward, edges)
            yield at, edges


def _cut(ptr: LongArray, most: int, step: int) -> Iterator[tuple[int, int]]:
    """Cut nodes, so many at a time, into ranges of at most so many edges where that is possible."""
    low, n = 0, len(ptr) - 1
    while low < n:
        high = int(np.searchsorted(ptr, ptr[low] + most, "right")) - 1
        high = min(max(high - (high - low) % step, low + step), n)
        yield low, high
        low = high


@kernel
def mark_repeated(ptr, edges, kept):  # type: ignore[no-untyped-def]
    """Unmark every fact of a head that was stated in an earlier row.

    IN  ptr, edges: of heads, as of :func:`grouped`
    OUT kept (n,)
    """
    for v in range(len(ptr) - 1):
        low, high = ptr[v], ptr[v + 1]
        if high - low <= 24:
            for i in range(low + 1, high):
                for j in range(low, i):
                    if edges[0, j] == edges[0, i] and edges[1, j] == edges[1, i]:
                        kept[edges[2, i]] = False
                        break
        else:
            keys = (edges[1, low:high].astype(np.int64) << 32) | edges[0, low:high]
            order = np.argsort(keys, kind="mergesort")
            for i in range(1, len(order)):
                if keys[order[i]] == keys[order[i - 1]]:
                    kept[edges[2, low + order[i]]] = False
