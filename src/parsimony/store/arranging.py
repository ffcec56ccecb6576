"""Compiled passes over blocks of facts: grouping by node and finding repeated rows.

The facts are streamed in their order; what is random access is limited to a range of nodes, so that
memory is bounded by the range, not by the graph. The oracle is
:meth:`parsimony.graph.KnowledgeGraph.digraph`.
"""

from __future__ import annotations

import numpy as np

from parsimony.kernels.numerics import kernel

__all__ = ["count_ends", "mark_repeated", "scatter_edges", "scatter_keys"]


@kernel
def count_ends(block, heads, tails):  # type: ignore[no-untyped-def]
    """Count heads and tails of a block (n, 3) into (n_entities,) each."""
    for i in range(len(block)):
        heads[block[i, 0]] += 1
        tails[block[i, 2]] += 1


@kernel
def scatter_edges(  # type: ignore[no-untyped-def]
    block, first, low, high, n_relations, forward, backward, neighbour, relation, fact
):
    """Write both directions of facts to the rows of the nodes from ``low`` to ``high`` - 1.

    IN  block (n, 3): the facts from row ``first`` on
        forward, backward (high - low,): where a node's next edge of either direction goes
    OUT neighbour, relation, fact (n_edges of the range,)
    """
    for i in range(len(block)):
        head, r, tail = block[i, 0], block[i, 1], block[i, 2]
        if low <= head < high:
            at = forward[head - low]
            forward[head - low] = at + 1
            neighbour[at], relation[at], fact[at] = tail, r, first + i
        if low <= tail < high:
            at = backward[tail - low]
            backward[tail - low] = at + 1
            neighbour[at], relation[at], fact[at] = head, r + n_relations, first + i


@kernel
def scatter_keys(block, first, low, high, n_entities, place, keys, rows):  # type: ignore[no-untyped-def]
    """Write (relation, tail) as one number to the rows of the heads from ``low`` to ``high`` - 1.

    OUT keys, rows (n of the range,): the number, and the row of its fact
    """
    for i in range(len(block)):
        head = block[i, 0]
        if low <= head < high:
            at = place[head - low]
            place[head - low] = at + 1
            keys[at] = np.int64(block[i, 1]) * n_entities + block[i, 2]
            rows[at] = first + i


@kernel
def mark_repeated(ptr, keys, rows, kept):  # type: ignore[no-untyped-def]
    """Unmark every fact of a head that was stated in an earlier row.

    IN  ptr (n_heads + 1,): the heads' parts of keys and rows; rows ascend within a head
    OUT kept (n,)
    """
    for v in range(len(ptr) - 1):
        low, high = ptr[v], ptr[v + 1]
        if high - low <= 24:
            for i in range(low + 1, high):
                for j in range(low, i):
                    if keys[j] == keys[i]:
                        kept[rows[i]] = False
                        break
        else:
            order = np.argsort(keys[low:high], kind="mergesort")
            for i in range(1, len(order)):
                if keys[low + order[i]] == keys[low + order[i - 1]]:
                    kept[rows[low + order[i]]] = False
