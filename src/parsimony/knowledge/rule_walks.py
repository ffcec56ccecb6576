"""Typed walks: the index and the compiled loops behind counting, mining and scoring rules.

A step is a relation id: ``r`` traverses a fact of relation r from head to tail, ``r + R`` from tail
to head (R relations). A rule's body is a path of steps from X to Y; as many paths share prefixes,
they are stored as a trie, and from each X every shared prefix is followed once. A level is the
*set* of entities reached: memory is a few arrays of n_entities, whatever the number of walks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from parsimony.graph.distinct import distinct_triples
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel

__all__ = ["PathTrie", "WalkIndex", "build_trie", "build_walk_index", "walk_index", "without_facts"]

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class WalkIndex(NamedTuple):
    """Distinct facts in both directions, grouped by node and sorted by (relation, neighbour).

    ``relation`` runs to ``2 * n_relations``: the row of v holds (r, t) for facts (v, r, t) and
    (r + R, h) for facts (h, r, v).
    """

    indptr: Longs
    relation: Ints
    neighbour: Ints
    n_relations: int

    @property
    def n_entities(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    def neighbours(self, u: int, step: int) -> Ints:
        """Return the entities that a step leads to from u."""
        low, high = self.indptr[u], self.indptr[u + 1]
        first = first_at_least(self.relation, self.neighbour, low, high, step, 0)
        last = first_at_least(self.relation, self.neighbour, low, high, step + 1, 0)
        return self.neighbour[first:last]

    def level(self, entities: Ints, step: int) -> Ints:
        """Return the entities that a step leads to from some distinct ones."""
        stamp, out = np.zeros(self.n_entities, np.int64), np.empty(self.n_entities, np.int32)
        return out[: expand(*self[:3], entities, len(entities), step, stamp, 1, out)]

    def inverse(self, step: int) -> int:
        """Return the step that traverses the same facts in the opposite direction."""
        return step - self.n_relations if step >= self.n_relations else step + self.n_relations


def build_walk_index(graph: KnowledgeGraph) -> WalkIndex:
    """Sort the distinct facts of a graph in both directions, O(n log n)."""
    n, n_relations = graph.n_entities, graph.n_relations
    inverse = graph.triples[:, ::-1].copy()
    inverse[:, 1] += n_relations
    rows = distinct_triples(np.concatenate([graph.triples, inverse]), n, 2 * n_relations)
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows[:, 0], minlength=n), out=indptr[1:])
    step, neighbour = (np.ascontiguousarray(rows[:, column]) for column in (1, 2))
    return WalkIndex(indptr, step, neighbour, n_relations)


_INDEXES: WeakKeyDictionary[KnowledgeGraph, WalkIndex] = WeakKeyDictionary()


def walk_index(graph: KnowledgeGraph) -> WalkIndex:
    """Return the index of a graph, built once as long as the graph is in use."""
    if graph not in _INDEXES:
        _INDEXES[graph] = build_walk_index(graph)
    return _INDEXES[graph]


def without_facts(index: WalkIndex, facts: Iterable[tuple[int, int, int]]) -> WalkIndex:
    """Return the index without the given facts (head, relation, tail); absent ones are ignored."""
    removed = np.zeros(len(index.neighbour), dtype=bool)
    for h, r, t in facts:
        for u, step, v in ((h, r, t), (t, r + index.n_relations, h)):
            last = index.indptr[u + 1]
            at = first_at_least(index.relation, index.neighbour, index.indptr[u], last, step, v)
            if at < last and index.relation[at] == step and index.neighbour[at] == v:
                removed[at] = True
    before = np.concatenate([[0], np.cumsum(removed)])
    keep = ~removed
    return WalkIndex(
        index.indptr - before[index.indptr],
        index.relation[keep],
        index.neighbour[keep],
        index.n_relations,
    )


class PathTrie(NamedTuple):
    """A trie of paths, in preorder.

    Node i represents the path from the root: ``step[i]`` is its last step, ``depth[i]`` its length,
    and its descendants are ``i + 1 … end[i] - 1``.
    """

    step: Ints
    depth: Ints
    end: Ints


def build_trie(paths: Sequence[Sequence[int]]) -> tuple[PathTrie, Ints]:
    """Merge paths into a trie; also return the node at which each path ends, (len(paths),)."""
    step: list[int] = []
    depth: list[int] = []
    end: list[int] = []
    open_nodes: list[int] = []
    last: tuple[int, ...] = ()
    node_of = np.zeros(len(paths), dtype=np.int32)
    for i in sorted(range(len(paths)), key=lambda i: tuple(paths[i])):
        path = tuple(paths[i])
        shared = 0
        while shared < min(len(path), len(last)) and path[shared] == last[shared]:
            shared += 1
        while len(open_nodes) > shared:
            end[open_nodes.pop()] = len(step)
        for d in range(shared, len(path)):
            open_nodes.append(len(step))
            step.append(path[d])
            depth.append(d + 1)
            end.append(0)
        node_of[i] = open_nodes[-1]
        last = path
    while open_nodes:
        end[open_nodes.pop()] = len(step)
    as_int32 = (np.array(values, dtype=np.int32) for values in (step, depth, end))
    return PathTrie(*as_int32), node_of


@kernel
def first_at_least(relation, neighbour, low, high, step, node):  # type: ignore[no-untyped-def]
    """Return the first position from low to high with (relation, neighbour) ≥ (step, node)."""
    while low < high:
        middle = (low + high) >> 1
        if relation[middle] < step or (relation[middle] == step and neighbour[middle] < node):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def expand(indptr, relation, neighbour, level, size, step, stamp, mark, out):  # type: ignore[no-untyped-def]
    """Collect {v : some u in level[:size] has the edge (step, v)} in ``out``; return its size.

    IN  indptr relation neighbour  the WalkIndex;  level (size,) distinct;  step, mark
    OUT out (returned size,) distinct, stamp[v] = mark for exactly those v
    """
    n = 0
    for i in range(size):
        row_end = indptr[level[i] + 1]
        at = first_at_least(relation, neighbour, indptr[level[i]], row_end, step, 0)
        while at < row_end and relation[at] == step:
            v = neighbour[at]
            if stamp[v] != mark:
                stamp[v] = mark
                out[n] = v
                n += 1
            at += 1
    return n


@kernel
def count_levels(indptr, relation, neighbour, step, depth, end, head_ptr, head, body, support):  # type: ignore[no-untyped-def]
    """Count the pairs of every path in a trie, and those that are facts of the given heads.

    IN  the WalkIndex; the trie's step, depth, end (n_nodes,)
        head_ptr (n_nodes + 1,) head (n_rules,): the head relations at each node
    OUT body (n_nodes,) += pairs of the path;  support (n_rules,) += pairs that are facts
    """
    n_entities = len(indptr) - 1
    deepest = 0
    for i in range(len(depth)):
        deepest = max(deepest, depth[i])
    levels = np.empty((deepest + 1, n_entities), np.int32)
    sizes = np.zeros(deepest + 1, np.int64)
    stamp = np.zeros(n_entities, np.int64)
    mark = np.int64(0)
    sizes[0] = 1
    for x in range(n_entities):
        if indptr[x] == indptr[x + 1]:
            continue
        levels[0, 0] = x
        i = 0
        while i < len(step):
            d = depth[i]
            mark += 1
            sizes[d] = expand(
                indptr,
                relation,
                neighbour,
                levels[d - 1],
                sizes[d - 1],
                step[i],
                stamp,
                mark,
                levels[d],
            )
            if sizes[d] == 0:
                i = end[i]
                continue
            body[i] += sizes[d]
            for k in range(head_ptr[i], head_ptr[i + 1]):
                r = head[k]
                at = first_at_least(relation, neighbour, indptr[x], indptr[x + 1], r, 0)
                while at < indptr[x + 1] and relation[at] == r:
                    if stamp[neighbour[at]] == mark:
                        support[k] += 1
                    at += 1
            i += 1


@kernel
def is_own(u, step, v, x, r, y, n_relations):  # type: ignore[no-untyped-def]
    """Return whether the edge u -step-> v is the fact (x, r, y), in either direction."""
    return (step == r and u == x and v == y) or (step == r + n_relations and u == y and v == x)


@kernel
def has_other_walk(indptr, relation, neighbour, n_relations, path, x, r, y):  # type: ignore[no-untyped-def]
    """Return whether a walk along ``path`` leads from x to y without the fact (x, r, y) itself."""
    length = len(path)
    node = np.empty(length, np.int32)  # node[d]: the entity reached after d steps
    at = np.empty(length, np.int64)
    node[0] = x
    at[0] = first_at_least(relation, neighbour, indptr[x], indptr[x + 1], path[0], 0)
    d = 0
    while d >= 0:
        u = node[d]
        row_end = indptr[u + 1]
        if d == length - 1:
            last = first_at_least(relation, neighbour, indptr[u], row_end, path[d], y)
            if (
                last < row_end
                and relation[last] == path[d]
                and neighbour[last] == y
                and not is_own(u, path[d], y, x, r, y, n_relations)
            ):
                return True
            d -= 1
            continue
        if at[d] >= row_end or relation[at[d]] != path[d]:
            d -= 1
            continue
        v = neighbour[at[d]]
        at[d] += 1
        if is_own(u, path[d], v, x, r, y, n_relations):
            continue
        d += 1
        node[d] = v
        at[d] = first_at_least(relation, neighbour, indptr[v], indptr[v + 1], path[d], 0)
    return False


@kernel
def count_other_walks(indptr, relation, neighbour, n_relations, path, r):  # type: ignore[no-untyped-def]
    """Count the facts of relation r whose ends ``path`` connects without the fact itself."""
    found = 0
    for x in range(len(indptr) - 1):
        at = first_at_least(relation, neighbour, indptr[x], indptr[x + 1], r, 0)
        while at < indptr[x + 1] and relation[at] == r:
            if has_other_walk(indptr, relation, neighbour, n_relations, path, x, r, neighbour[at]):
                found += 1
            at += 1
    return found


@kernel
def pairs_of_block(indptr, relation, neighbour, path, first, last, sizes, out):  # type: ignore[no-untyped-def]
    """Collect the entities that ``path`` reaches from each x in first … last - 1, row by row.

    IN  path (length,)
    OUT sizes (last - first,);  out: the reached entities as far as they fit; returns their number
    """
    n_entities = len(indptr) - 1
    levels = np.empty((2, n_entities), np.int32)
    stamp = np.zeros(n_entities, np.int64)
    mark = np.int64(0)
    total = np.int64(0)
    for x in range(first, last):
        levels[0, 0] = x
        size = np.int64(1)
        for d in range(len(path)):
            mark += 1
            size = expand(
                indptr,
                relation,
                neighbour,
                levels[d % 2],
                size,
                path[d],
                stamp,
                mark,
                levels[(d + 1) % 2],
            )
        sizes[x - first] = size
        for j in range(size):
            if total + j < len(out):
                out[total + j] = levels[len(path) % 2, j]
        total += size
    return total


@kernel
def unknown_of_known(indptr, relation, neighbour, r, first, second):  # type: ignore[no-untyped-def]
    """Count the pairs (x, y) that are no facts of r although x has some fact of r."""
    found = 0
    for i in range(len(first)):
        last = indptr[first[i] + 1]
        at = first_at_least(relation, neighbour, indptr[first[i]], last, r, 0)
        if at < last and relation[at] == r:
            at = first_at_least(relation, neighbour, at, last, r, second[i])
            found += at == last or relation[at] != r or neighbour[at] != second[i]
    return found
