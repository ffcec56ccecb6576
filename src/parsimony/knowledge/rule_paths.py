"""The paths that connect the facts of a relation, listed from the end with fewer walks.

A relation's facts are gone through in ranges of bounded cost, cut by the graph alone, so that a
hub's facts can be shared between processes: every fact is counted in one range, and sums are exact.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_bodies import places
from parsimony.knowledge.rule_walks import WalkIndex, is_own

__all__ = ["Counted", "Facts", "Range", "n_walks"]

RANGE = 5e6  # walks listed, about, in one range of a relation's facts: seconds
_SLOTS = 1 << 24  # maximum number of distinct paths per relation: a table of 448 MiB

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Range(NamedTuple):
    """Facts of a relation, from the ``first`` to before the ``last``, and the longest paths."""

    relation: int
    longest: int
    first: int
    last: int
    cost: float
    whole: bool  # whether these are all facts of the relation


class Counted(NamedTuple):
    """Codes of paths, ascending; the facts each connects without, and with, themselves; lost."""

    codes: Longs
    counts: Longs
    dropped: int


@kernel
def _slot(keys, code):  # type: ignore[no-untyped-def]
    """Return the slot of ``code`` in an open-addressing table, or the free slot for it."""
    mask = len(keys) - 1
    at = ((code * np.int64(-7046029254386353131)) >> 20) & mask
    while keys[at] != 0 and keys[at] != code:
        at = (at + 1) & mask
    return at


@kernel
def _larger(keys, table):  # type: ignore[no-untyped-def]
    """Return a table with twice as many slots."""
    new_keys = np.zeros(2 * len(keys), np.int64)
    new_table = np.full((2 * len(keys), 4), -1, np.int32)
    for i in range(len(keys)):
        if keys[i] != 0:
            at = _slot(new_keys, keys[i])
            new_keys[at] = keys[i]
            new_table[at] = table[i]
    return new_keys, new_table


@kernel
def _paths_between(  # type: ignore[no-untyped-def]
    indptr, step_of, neighbour, by_neighbour, n_relations, places, walks, facts, r, longest,
    max_slots,
):  # fmt: skip
    """Count, for every path of up to four steps, the facts of r whose ends it connects.

    A path is encoded as the number with ``places`` digits ``step + 1`` in base ``2 R + 1``, first
    step first, padded with zeros: sorted codes are a trie in preorder.

    IN  the WalkIndex; by_neighbour (n_edges,): edge positions sorted within a row by neighbour
        walks (n_entities,): number of walks that start there; facts (n, 2): x and y, those with
        the same end to walk to next to each other; r
    OUT codes (n,);  counts (n, 2): facts that the path connects without, and with, themselves;
        dropped: how often a path was not counted because the table was full
    """
    base = np.int64(2 * n_relations + 1)
    keys = np.zeros(1 << 12, np.int64)
    # A row: facts connected without and with themselves, and the last fact of either kind.
    table = np.full((1 << 12, 4), -1, np.int32)
    used, dropped = 0, 0
    stamp = np.full(len(indptr) - 1, -1, np.int64)  # the goal that is one step from here
    near = np.full(len(indptr) - 1, -1, np.int64)  # … two steps
    first = np.zeros(len(indptr) - 1, np.int64)  # where the goal's row has this neighbour
    digits = np.zeros(4, np.int64)
    marked = -1
    for f in range(len(facts)):
        x, y = facts[f, 0], facts[f, 1]
        swapped = walks[y] < walks[x]
        start, goal = (y, x) if swapped else (x, y)
        if f == 0 or goal != marked:  # a hub's row is gone through once, not for every fact
            marked = goal
            for j in range(indptr[goal], indptr[goal + 1]):
                b = neighbour[by_neighbour[j]]
                if stamp[b] != goal:
                    stamp[b] = goal
                    first[b] = j
                    if longest > 3:
                        for k in range(indptr[b], indptr[b + 1]):
                            near[neighbour[k]] = goal
        # Depth-first over the first longest - 1 steps; at each node, every edge to the goal
        # completes a path. Position - 1 of a row means taking no step.
        a_last = indptr[start + 1] if longest > 1 else indptr[start]
        for a in range(indptr[start] - 1, a_last):
            node1, own1, n1 = start, False, 0
            if a >= indptr[start]:
                node1, n1 = neighbour[a], 1
                digits[0] = step_of[a]
                own1 = is_own(start, step_of[a], node1, x, r, y, n_relations)
            b_last = indptr[node1 + 1] if n1 == 1 and longest > 2 else indptr[node1]
            for b in range(indptr[node1] - 1, b_last):
                node2, own2, n2 = node1, own1, n1
                if b >= indptr[node1]:
                    node2, n2 = neighbour[b], 2
                    digits[1] = step_of[b]
                deeper = n2 == 2 and longest > 3 and near[node2] == goal
                if stamp[node2] != goal and not deeper:
                    continue
                if n2 == 2:
                    own2 = own1 or is_own(node1, step_of[b], node2, x, r, y, n_relations)
                c_last = indptr[node2 + 1] if deeper else indptr[node2]
                for c in range(indptr[node2] - 1, c_last):
                    node3, own3, n3 = node2, own2, n2
                    if c >= indptr[node2]:
                        node3, n3 = neighbour[c], 3
                        digits[2] = step_of[c]
                    if stamp[node3] != goal:
                        continue
                    if n3 == 3:
                        own3 = own2 or is_own(node2, step_of[c], node3, x, r, y, n_relations)
                    j = first[node3]
                    while j < indptr[goal + 1] and neighbour[by_neighbour[j]] == node3:
                        back = step_of[by_neighbour[j]]  # goal → node3
                        j += 1
                        own = own3 or is_own(goal, back, node3, x, r, y, n_relations)
                        digits[n3] = (back + n_relations) % (2 * n_relations)
                        code = np.int64(0)
                        for d in range(places):
                            code *= base
                            if d <= n3 and not swapped:
                                code += digits[d] + 1
                            elif d <= n3:  # the same walk in the opposite direction
                                code += (digits[n3 - d] + n_relations) % (2 * n_relations) + 1
                        at = _slot(keys, code)
                        if keys[at] == 0:
                            if used * 2 >= len(keys):
                                if len(keys) >= max_slots:
                                    dropped += 1
                                    continue
                                keys, table = _larger(keys, table)
                                at = _slot(keys, code)
                            keys[at] = code
                            table[at, 0] = 0
                            table[at, 1] = 0
                            used += 1
                        if table[at, 3] != f:
                            table[at, 3] = f
                            table[at, 1] += 1
                        if not own and table[at, 2] != f:
                            table[at, 2] = f
                            table[at, 0] += 1
    full = np.flatnonzero(keys)
    return keys[full], table[full, :2], dropped


def n_walks(index: WalkIndex, length: int) -> npt.NDArray[np.float64]:
    """Return the number of walks of a length from each entity, (n_entities,)."""
    walks = np.ones(index.n_entities)
    for _ in range(length):
        total = np.zeros(len(index.neighbour) + 1)
        np.cumsum(walks[index.neighbour], out=total[1:])
        walks = total[index.indptr[1:]] - total[index.indptr[:-1]]
    return walks


class Facts:
    """The paths that connect the facts of each relation.

    Attributes
    ----------
    known
        What was counted ahead, by relation and length.
    dropped
        How often a path was not counted because the table was full.
    """

    def __init__(self, index: WalkIndex, min_support: int) -> None:
        self.index, self.min_support = index, min_support
        self.node = np.repeat(np.arange(index.n_entities, dtype=np.int32), np.diff(index.indptr))
        # Rows are sorted by relation already, which a stable sort of their neighbours keeps.
        self.by_neighbour = _by_pair(self.node, index.neighbour, index.n_entities)
        self.dropped = 0
        self.known: dict[tuple[int, int], Counted] = {}
        self._walks: dict[int, npt.NDArray[np.float64]] = {}

    def ranges(self, r: int, longest: int) -> list[Range]:
        """Cut a relation's facts where the walks to be listed exceed a bound."""
        x, y, walks = self._facts(r, longest)
        cost = np.minimum(walks[x], walks[y])
        part = np.cumsum(cost) // RANGE
        cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(x)]
        return [
            Range(r, longest, low, high, float(cost[low:high].sum()), len(cuts) == 2)
            for low, high in pairwise(cuts)
        ]

    def part(self, of: Range) -> Counted:
        """Count the paths of a range; those with enough support alone where it is the whole."""
        x, y, walks = self._facts(of.relation, of.longest)
        facts = np.stack([x, y], axis=1)[of.first : of.last]
        codes, counts, dropped = _paths_between(
            *self.index[:3], self.by_neighbour, self.index.n_relations,
            places(self.index.n_relations), walks, facts, of.relation, of.longest, _SLOTS,
        )  # fmt: skip
        kept = counts[:, 0] >= self.min_support if of.whole else slice(None)
        codes, counts = codes[kept], counts[kept].astype(np.int64)
        order = np.argsort(codes)
        return Counted(codes[order], counts[order], int(dropped))

    def joined(self, parts: list[Counted]) -> Counted:
        """Add the counts of all ranges of a relation, in their order."""
        whole = parts[0]
        for part in parts[1:]:
            whole = _added(whole, part)
        kept = whole.counts[:, 0] >= self.min_support
        return Counted(whole.codes[kept], whole.counts[kept], whole.dropped)

    def paths(self, r: int, longest: int) -> tuple[Longs, Longs]:
        """Codes of the paths with enough support, and their counts; see ``_paths_between``."""
        found = self._counted(r, longest)
        self.dropped += found.dropped
        return found.codes, found.counts

    def ahead(self, r: int, longest: int, *, keep: bool) -> tuple[Longs, Longs]:
        """Codes and support of what :meth:`paths` will return, and need not count if kept."""
        found = self._counted(r, longest)
        if keep:
            self.known[r, longest] = found
        return found.codes, found.counts[:, 0]

    def _counted(self, r: int, longest: int) -> Counted:
        found = self.known.get((r, longest))
        if found is None:
            found = self.joined([self.part(each) for each in self.ranges(r, longest)])
        return found

    def _facts(self, r: int, longest: int) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
        """Ends of a relation's facts, those with the same end to walk to together; all walks."""
        length = max(longest - 1, 1)
        if length not in self._walks:  # a pass over all edges, the same for all relations
            self._walks[length] = n_walks(self.index, length)
        walks = self._walks[length]
        edges = np.flatnonzero(self.index.relation == r)
        x, y = self.node[edges], self.index.neighbour[edges]
        order = np.argsort(np.where(walks[y] < walks[x], x, y), kind="stable")
        return x[order], y[order], walks


def _added(one: Counted, other: Counted) -> Counted:
    """Add counts; paths beyond the size of a table are dropped, as a table would."""
    at = np.searchsorted(one.codes, other.codes)
    there = at < len(one.codes)
    there[there] = one.codes[at[there]] == other.codes[there]
    counts = one.counts.copy()
    counts[at[there]] += other.counts[there]
    new = np.flatnonzero(~there)
    fits, lost = np.split(new, [max(_SLOTS // 2 - len(one.codes), 0)])
    codes = np.concatenate([one.codes, other.codes[fits]])
    order = np.argsort(codes, kind="stable")
    dropped = one.dropped + other.dropped + int(other.counts[lost, 1].sum())
    return Counted(codes[order], np.concatenate([counts, other.counts[fits]])[order], dropped)


def _by_pair(node: Ints, neighbour: Ints, n: int) -> Longs:
    """Return the order of edges by node and neighbour, keeping that of equal ones."""
    return np.argsort(node.astype(np.int64) * n + neighbour, kind="stable")
