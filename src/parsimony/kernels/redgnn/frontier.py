"""Frontier expansion of a relational digraph, with equal states merged.

One step of RED-GNN's r-digraph (docs/methods/redgnn.md, eq. 1): V^ℓ = V^{ℓ-1} ∪ targets of all
active out-edges. The state of a node at step ℓ is a function of the query relation and of the
multiset {(state of s, r) : (s, r, o) an edge of step ℓ}; the identity edge (o, id, o) adds o's own
previous state to that multiset. So nodes with equal multisets have equal states, at every step
and across the queries of a batch with the same relation: they form one *row*, computed once.
Multisets are compared by a 64-bit sum of mixed (row, relation) keys: with n nodes per step the
probability of any collision is below n² / 2^65 (n = 10⁶: 3e-8).

There is no sort, no unique, no edges × batch matrix: a stamped array over the entities relabels
nodes, so that the cost is proportional to the edges of the frontier.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from parsimony.kernels.numerics import kernel

IntArray = npt.NDArray[np.int32]


class Frontier(NamedTuple):
    """The nodes reached by the queries of a batch, and the row of each node's state.

    Nodes of query b are ``node[ptr[b]:ptr[b + 1]]``, those of the previous step first, in the same
    order.
    """

    ptr: npt.NDArray[np.int64]  # (n_queries + 1,)
    node: IntArray  # (n_nodes,) entity ids
    row: IntArray  # (n_nodes,) row of the state


class Step(NamedTuple):
    """The rows of one step with their in-edges, and the frontier after it.

    Rows ``[0, n_old)`` continue a state of the previous step (``previous``), the others are newly
    reached and start from zero.
    """

    frontier: Frontier
    indptr: npt.NDArray[np.int64]  # (n_rows + 1,) in-edges of each row
    source: IntArray  # (n_edges,) rows of the previous step
    relation: IntArray  # (n_edges,)
    previous: IntArray  # (n_old,) rows of the previous step
    query: IntArray  # (n_rows,) index of the query relation's row at step 0
    edges_visited: int  # edges of the unmerged digraph, including identities


class Scratch:
    """Stamped relabelling arrays and work memory, reused by all expansions of a thread.

    Fresh memory would be zeroed by the operating system, page by page, at every step.
    """

    def __init__(self, n_entities: int) -> None:
        self.seen = np.zeros(n_entities, np.int64)  # stamp and position in one: frontier.py
        self.stamp = np.zeros(n_entities, np.int64)
        self.position = np.empty(n_entities, np.int32)
        self.tick = np.zeros(1, np.int64)
        #: the hash table of rows, at its largest size so far
        self.table = np.zeros((_SLOTS, 2), np.uint64)
        self._kept: dict[str, npt.NDArray[Any]] = {}

    def array(self, name: str, rows: int, n: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return ``rows`` uninitialised arrays of at least n numbers, reusing the memory."""
        kept = self._kept.get(name)
        if kept is None or kept.shape[1] < n:
            kept = self._kept[name] = np.empty((rows, n + n // 4), dtype)
        return kept


@njit(inline="always")
def _mix(row, relation):  # type: ignore[no-untyped-def]
    """Spread (row, relation) over 64 bits (splitmix64's finaliser)."""
    x = np.uint64(row) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(relation) + np.uint64(1)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    x = (x + np.uint64(relation)) * np.uint64(0xD6E8FEB86659FD93)
    return x ^ (x >> np.uint64(32))


_SLOTS = 1024  # size of the smallest hash table
_NEW = np.int32(1 << 30)  # marks rows without a previous state until their final number is known


@kernel
def restrict(indptr, neighbour, relation, fact, active):  # type: ignore[no-untyped-def]
    """Drop the edges of inactive facts from an adjacency, once per epoch, not per visit.

    IN  indptr (n + 1,) neighbour, relation, fact (m,) active (n_facts,)
    OUT indptr (n + 1,) and the remaining neighbours and relations
    """
    out_ptr = np.zeros(indptr.shape[0], np.int64)
    out_neighbour = np.empty(neighbour.shape[0], np.int32)
    out_relation = np.empty(neighbour.shape[0], np.int32)
    to = 0
    for v in range(indptr.shape[0] - 1):
        for e in range(indptr[v], indptr[v + 1]):
            if active[fact[e]]:
                out_neighbour[to] = neighbour[e]
                out_relation[to] = relation[e]
                to += 1
        out_ptr[v + 1] = to
    return out_ptr, out_neighbour[:to].copy(), out_relation[:to].copy()


@njit(inline="always")
def _slot(key, slots):  # type: ignore[no-untyped-def]
    """Return the first slot to probe for a key; the number of slots is a power of two."""
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (slots - 1)


@kernel
def _larger(table, slots):  # type: ignore[no-untyped-def]
    """Move a hash table of (key, code) pairs to ``slots`` slots."""
    out = np.zeros((slots, 2), np.uint64)
    for j in range(table.shape[0]):
        k = table[j, 0]
        if k != 0:
            slot = _slot(k, slots)
            while out[slot, 0] != 0:
                slot = (slot + 1) & (slots - 1)
            out[slot, 0] = k
            out[slot, 1] = table[j, 1]
    return out


@kernel
def _bounds(indptr, ptr, node, n_entities):  # type: ignore[no-untyped-def]
    """Return upper bounds of nodes, edges, edges per query and nodes per query after a step."""
    bound, most, most_edges, most_nodes = 0, 1, 1, 1
    for b in range(ptr.shape[0] - 1):
        reach = ptr[b + 1] - ptr[b]
        for i in range(ptr[b], ptr[b + 1]):
            reach += indptr[node[i] + 1] - indptr[node[i]]
        bound += min(reach, n_entities)
        most += reach
        most_edges = max(most_edges, reach)
        most_nodes = max(most_nodes, min(reach, n_entities))
    return bound, most, most_edges, most_nodes


@kernel
def _expand(  # type: ignore[no-untyped-def]
    indptr, neighbour, relation, n_relations,
    ptr, node, row, row_query, collapse, seen, tick, table,
    reached, keys, counts, places, walked, rows, row_ptr, edges,
):  # fmt: skip
    n_queries = ptr.shape[0] - 1
    identity = np.int32(2 * n_relations)
    out_ptr = np.zeros(n_queries + 1, np.int64)
    # One more than needed, here and below: the next new node is written before it is known.
    out_node, out_row = reached[0], reached[1]
    # per query: the keys and in-degrees of its nodes, its edges in order of traversal
    key, found = keys[0], keys[1]  # found: table content at the first slot probed for a key
    degree, touched = counts[0], counts[1]  # touched: written to force the loads
    offset, stride = places[0], places[1]  # stride: 1 if the node provides the edges of its row
    first, end = places[2], places[3]
    walked_target, walked_source, walked_relation = walked[0], walked[1], walked[2]
    row_code = rows[0]  # old: number, new: number | _NEW
    row_previous, row_of_query = rows[1], rows[2]
    edge_source, edge_relation = edges[0], edges[1]
    last_edge = neighbour.shape[0] - 1
    # Key and code are stored in the slot itself: a lookup is one cache miss, not a chain of them.
    slots = table.shape[0]
    table[:] = 0  # key 0 is free
    n_found = 0
    n_old_rows = 0
    n_new_rows = 0
    n_edges = 1  # edge 0 absorbs the edges of nodes that do not provide a row
    row_ptr[0, 0] = 1
    visited = 0
    total = 0
    for b in range(n_queries):
        tick[0] += 1
        now = tick[0] << 32  # seen[v] = now | position of v in this query
        start = total
        n_before = ptr[b + 1] - ptr[b]
        n_walked = 0
        for i in range(n_before):
            v = node[ptr[b] + i]
            state = row[ptr[b] + i]
            seen[v] = now | i
            out_node[start + i] = v
            key[i] = _mix(state, identity)
            degree[i] = 1
            walked_target[n_walked] = i
            walked_source[n_walked] = state
            walked_relation[n_walked] = identity
            n_walked += 1
        n_after = n_before
        # traverse: list the edges, then reach new nodes and sum the keys of every node's in-edges.
        # Branch-free loops let cache misses overlap: a third of the targets are new, at random.
        for i in range(n_before):
            s = node[ptr[b] + i]
            first[i] = indptr[s]
            end[i] = indptr[s + 1]
            if last_edge >= 0:
                at = min(first[i], last_edge)
                touched[i] = relation[at] + neighbour[at]
        for i in range(n_before):
            state = row[ptr[b] + i]
            for e in range(first[i], end[i]):
                walked_target[n_walked] = neighbour[e]
                walked_source[n_walked] = state
                walked_relation[n_walked] = relation[e]
                n_walked += 1
        for e in range(n_before, n_walked):
            o = walked_target[e]
            at = seen[o]
            new = at < now
            to = n_after if new else at ^ now
            seen[o] = now | to
            out_node[start + n_after] = o
            mixed = _mix(walked_source[e], walked_relation[e])
            key[to] = mixed if new else key[to] + mixed
            degree[to] = 1 if new else degree[to] + 1
            n_after += new
            walked_target[e] = to
        visited += n_walked
        total = start + n_after
        out_ptr[b + 1] = total
        if 2 * (n_found + n_after) > slots:  # keep the table at most half full
            while 2 * (n_found + n_after) > slots:
                slots *= 2
            table = _larger(table, slots)
        # rows: look up every node's key; a row's first node provides its in-edges. The first loop
        # is branch-free, so that its cache misses overlap.
        for i in range(n_after):
            key[i] = max(key[i], np.uint64(1)) if collapse else np.uint64(start + i + 1)
            found[i] = table[_slot(key[i], slots), 0]
        for i in range(n_after):
            k = key[i]
            slot = _slot(k, slots)
            if found[i] != k:
                while table[slot, 0] != k and table[slot, 0] != 0:
                    slot = (slot + 1) & (slots - 1)
            offset[i] = 0
            stride[i] = 0
            if table[slot, 0] == 0:
                c = n_found
                n_found += 1
                if i < n_before:
                    row_code[c] = n_old_rows
                    row_previous[c] = row[ptr[b] + i]
                    n_old_rows += 1
                else:
                    row_code[c] = n_new_rows | _NEW
                    row_previous[c] = -1
                    n_new_rows += 1
                table[slot, 0] = k
                table[slot, 1] = np.uint64(row_code[c])
                row_of_query[c] = row_query[row[ptr[b]]]
                offset[i] = n_edges
                stride[i] = 1
                n_edges += degree[i]
                row_ptr[0, c + 1] = n_edges
            out_row[start + i] = np.int32(table[slot, 1])
        for e in range(n_walked):
            node_at = walked_target[e]
            to = offset[node_at]  # branch-free: half of the nodes provide edges, at random
            edge_source[to] = walked_source[e]
            edge_relation[to] = walked_relation[e]
            offset[node_at] = to + stride[node_at]

    # renumber: rows that continue a state come first
    final_ptr = np.zeros(n_found + 1, np.int64)
    previous = np.empty(n_old_rows, np.int32)
    query = np.empty(n_found, np.int32)
    for c in range(n_found):
        code = row_code[c]
        if code & _NEW:
            code = (code ^ _NEW) + n_old_rows
            row_code[c] = code
        else:
            previous[code] = row_previous[c]
        query[code] = row_of_query[c]
        final_ptr[code + 1] = row_ptr[0, c + 1] - row_ptr[0, c]
    for c in range(n_found):
        final_ptr[c + 1] += final_ptr[c]
    source = np.empty(n_edges - 1, np.int32)
    final_relation = np.empty(n_edges - 1, np.int32)
    for c in range(n_found):
        to = final_ptr[row_code[c]]
        for e in range(row_ptr[0, c], row_ptr[0, c + 1]):
            source[to] = edge_source[e]
            final_relation[to] = edge_relation[e]
            to += 1
    for i in range(total):
        code = out_row[i]
        if code & _NEW:
            out_row[i] = (code ^ _NEW) + n_old_rows
    return (
        out_ptr, out_node[:total].copy(), out_row[:total].copy(), final_ptr, source,
        final_relation, previous, query, visited, table,
    )  # fmt: skip


def start(heads: IntArray, relations: IntArray, *, share: bool) -> tuple[Frontier, IntArray]:
    """Return the frontier at step 0: each query's head, in the zero state.

    IN  heads (n_queries,) relations (n_queries,) query relations; share: queries with the same
        relation start in the same row
    OUT the frontier, and the query relation of every row (n_rows,)
    """
    n = len(heads)
    ptr = np.arange(n + 1, dtype=np.int64)
    if share:
        distinct, row = np.unique(relations, return_inverse=True)
        return Frontier(ptr, heads.astype(np.int32), row.astype(np.int32)), distinct.astype(
            np.int32
        )
    return Frontier(ptr, heads.astype(np.int32), np.arange(n, dtype=np.int32)), relations.astype(
        np.int32
    )


def expand(
    digraph: tuple[npt.NDArray[np.int64], IntArray, IntArray],
    n_relations: int,
    frontier: Frontier,
    row_query: IntArray,
    scratch: Scratch,
    *,
    collapse: bool = True,
) -> Step:
    """Expand a frontier by one step along all edges, including inverses and identities.

    IN  digraph: (indptr, neighbour, relation) of ``KnowledgeGraph.digraph`` or a restriction
        row_query (n_rows,) of ``frontier``'s rows
    OUT the step: rows with in-edges, and the new frontier
    """
    ptr, node, n_entities = frontier.ptr, frontier.node, len(scratch.seen)
    bound, most, most_edges, most_nodes = _bounds(digraph[0], ptr, node, n_entities)
    slots = _SLOTS  # as many as in the largest step so far, unless there cannot be as many rows
    while slots < min(len(scratch.table), 2 * bound):
        slots *= 2
    *out, table = _expand(
        digraph[0], digraph[1], digraph[2], n_relations,
        ptr, node, frontier.row, row_query, collapse, scratch.seen, scratch.tick,
        scratch.table[:slots],
        scratch.array("reached", 2, bound + 1, np.int32),
        scratch.array("keys", 2, most_nodes + 1, np.uint64),
        scratch.array("counts", 2, most_nodes + 1, np.int32),
        scratch.array("places", 4, most_nodes, np.int64),
        scratch.array("walked", 3, most_edges, np.int32),
        scratch.array("rows", 3, bound, np.int32),
        scratch.array("row_ptr", 1, bound + 1, np.int64),
        scratch.array("edges", 2, most, np.int32),
    )  # fmt: skip
    if len(table) > len(scratch.table):
        scratch.table = table
    return Step(Frontier(out[0], out[1], out[2]), *out[3:])


def expand_reference(
    triples: npt.NDArray[np.int32],
    n_relations: int,
    active: npt.NDArray[np.uint8],
    nodes: list[list[int]],
) -> tuple[list[list[int]], list[set[tuple[int, int, int, int]]]]:
    """Reference implementation: per query, the nodes after the step and the edges used.

    IN  triples (n, 3); nodes: one list of entities per query
    OUT nodes after (the old ones first); edges (source, relation, target, fact), with fact −1 for
        an identity
    """
    after, used = [], []
    for reached in nodes:
        edges = {(v, 2 * n_relations, v, -1) for v in reached}
        inside = set(reached)
        for f, (h, r, t) in enumerate(triples.tolist()):
            if active[f] and h in inside:
                edges.add((h, r, t, f))
            if active[f] and t in inside:
                edges.add((t, r + n_relations, h, f))
        after.append([*reached, *sorted({o for _, _, o, _ in edges} - inside)])
        used.append(edges)
    return after, used
