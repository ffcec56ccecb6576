"""Mining of rules about one entity: ``h(X,c) <- b(X,d)`` and ``h(X,c) <- b(X,A)``.

The entities that have one step to the same entity are a group. Of every group, the head, the edges
of its members are gone through once and counted by the groups they belong to, the bodies. That
costs the sum of the members' degrees; groups beyond a budget are left out, and said to be so.
Counts are exact, under object identity: see :mod:`parsimony.knowledge.rule_branches`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_branches import ANY
from parsimony.knowledge.rule_walks import WalkIndex

__all__ = ["BranchMiner", "MinedBranches", "mine_branches"]

BUDGET = 1e9  # edges gone through; up to about ten seconds on one core
_CHUNK, _ROOM = 2e7, 1 << 21  # edges and rules between two questions whether to stop
PER_CONSTANT = 100  # rules kept of one head relation and entity, or a part of the relation's:
PART = 0.05
MOST_PER_CONSTANT = 10_000  # where nobody says how many

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class MinedBranches(NamedTuple):
    """Rules as arrays: x has ``step`` to ``constant`` if it has ``body`` to ``end`` (or ANY)."""

    step: Ints
    constant: Ints
    body: Ints
    end: Ints
    support: Longs
    body_count: Longs
    notes: list[str]


class _Groups(NamedTuple):
    """Edges of one entity along one step, in the order of the index; loops are no members.

    ``of``: an edge's group seen from its other end; -1 for loops and for groups too small
    ``back``: position of the same edge seen from its other end
    ``alone``: whether the edge is its entity's only one along the step
    """

    ptr: Longs
    node: Ints
    step: Ints
    size: Ints
    of: Ints
    back: Longs
    alone: npt.NDArray[np.bool_]
    holders: Longs  # per step: the entities that have it


def _group(index: WalkIndex, node: Ints, min_support: int) -> _Groups:
    n = index.n_relations
    inverse = np.where(index.relation >= n, index.relation - n, index.relation + n)
    # The k-th edge in the order of the index is the edge whose other end comes k-th.
    back = np.empty(len(node), np.int64)
    back[np.lexsort((node, inverse, index.neighbour))] = np.arange(len(node))
    new = np.ones(len(node), bool)
    new[1:] = (node[1:] != node[:-1]) | (index.relation[1:] != index.relation[:-1])
    first = np.flatnonzero(new)
    of_edge = np.cumsum(new) - 1
    loop = node == index.neighbour
    size = np.bincount(of_edge, ~loop, minlength=len(first)).astype(np.int32)
    of = of_edge[back].astype(np.int32)
    of[loop | (size[of] < min_support)] = -1
    step = index.relation[first]
    holders = np.bincount(step[size > 0], minlength=2 * n)
    return _Groups(
        np.r_[first, len(node)], node[first], step, size, of, back,
        (size[of_edge] == 1) & ~loop, holders,
    )  # fmt: skip


@kernel
def _mine(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, n_relations, ptr, node, step, size, of, back, alone, holders,
    heads, min_support, min_confidence, most, counts, ends, seen, marked, found,
):  # fmt: skip
    """Count all bodies of some heads.

    IN  the WalkIndex; the groups; heads: groups, those of one entity next to each other
        most: rules of a head that are kept; counts, marked (n_groups,), ends (3, n_steps), seen
        (n_groups,): scratch, of zeros, -1 in marked and ends[1]
    OUT found (len(heads) * most, 4): head, body (a group, or -1 - step), support, body count;
        returned: how many of them, how many were left out
    """
    n, left_out = 0, 0
    anywhere, met, only = ends[0], ends[1], ends[2]
    rank = np.empty(len(seen) + len(anywhere))
    row = np.empty((len(seen) + len(anywhere), 3), np.int64)
    for h in heads:
        c = node[h]
        for p in range(indptr[c], indptr[c + 1]):
            if neighbour[p] == c:
                continue
            met[relation[p]] = h
            if of[p] >= 0:
                marked[of[p]] = h
            if alone[back[p]]:
                only[relation[back[p]]] += 1
        touched = 0
        for p in range(ptr[h], ptr[h + 1]):
            x = neighbour[p]
            if x == c:
                continue
            last = -1
            for q in range(indptr[x], indptr[x + 1]):
                d = neighbour[q]
                if d == x:
                    continue
                if d != c and relation[q] != last:
                    last = relation[q]
                    anywhere[last] += 1
                g = of[q]
                if g >= 0 and g != h:
                    if counts[g] == 0:
                        seen[touched] = g
                        touched += 1
                    counts[g] += 1
        m = 0
        for s in range(len(anywhere)):
            if anywhere[s] >= min_support:
                body = holders[s] - (met[s] == h) - only[s]
                if anywhere[s] >= min_confidence * body:
                    row[m, 0], row[m, 1], row[m, 2] = -1 - s, anywhere[s], body
                    rank[m] = -anywhere[s] / (body + 5)
                    m += 1
        for k in range(touched):
            g = seen[k]
            if counts[g] >= min_support:
                body = size[g] - (marked[g] == h)
                back_step = step[g]
                s = back_step - n_relations if back_step >= n_relations else back_step + n_relations
                whole = holders[s] - (met[s] == h) - only[s]
                # A narrower body has to be right more often.
                better = (
                    anywhere[s] < min_support or np.int64(counts[g]) * whole > anywhere[s] * body
                )
                if better and counts[g] >= min_confidence * body:
                    row[m, 0], row[m, 1], row[m, 2] = g, counts[g], body
                    rank[m] = -counts[g] / (body + 5)
                    m += 1
            counts[g] = 0
        order = np.argsort(rank[:m])
        left_out += max(0, m - most)
        for k in order[:most]:
            found[n, 0] = h
            found[n, 1:] = row[k]
            n += 1
        for p in range(indptr[c], indptr[c + 1]):
            only[relation[back[p]]] = 0
        anywhere[:] = 0
    return n, left_out


class BranchMiner:
    """Mines blocks of heads, each for itself.

    Attributes
    ----------
    blocks
        The heads (groups), those with the most facts first.
    notes
        What the budget leaves out.
    """

    def __init__(
        self,
        index: WalkIndex,
        min_support: int,
        min_confidence: float,
        per_constant: int,
        budget: float,
    ) -> None:
        self.index, self.min_confidence, self.per_constant = index, min_confidence, per_constant
        self.min_support = min(min_support, np.iinfo(np.int32).max)
        degree = np.diff(index.indptr)
        node = np.repeat(np.arange(index.n_entities, dtype=np.int32), degree)
        self.groups = groups = _group(index, node, self.min_support)
        total = np.zeros(len(node) + 1, np.int64)
        np.cumsum(degree[index.neighbour], out=total[1:])
        cost = total[groups.ptr[1:]] - total[groups.ptr[:-1]] + 2 * degree[groups.node]
        heads = np.flatnonzero(groups.size >= self.min_support)
        cheap = heads[np.argsort(cost[heads], kind="stable")]
        within = cheap[np.cumsum(cost[cheap]) <= budget]
        self.notes = []
        if len(within) < len(heads):
            self.notes.append(
                f"warning: rules about an entity were mined for {len(within):,} of {len(heads):,} "
                "pairs of relation and entity: the others have more facts around them than the "
                "budget allows"
            )
        heads = within[np.argsort(-groups.size[within], kind="stable")]
        most = max(_ROOM // per_constant, 1)
        block = np.cumsum(cost[heads]) // _CHUNK + np.arange(len(heads)) // most
        self.blocks = np.split(heads, np.flatnonzero(np.diff(block)) + 1)
        self.n_heads = len(heads)

    def mine(self, block: int) -> tuple[Longs, int]:
        """Return the rules of a block, (n, 4): head, body, support, body count; how many not."""
        some, n_groups, n_steps = self.blocks[block], len(self.groups.node), self._n_steps
        counts, seen = np.zeros(n_groups, np.int32), np.zeros(n_groups, np.int32)
        marked = np.full(n_groups, -1, np.int64)
        ends = np.zeros((3, n_steps), np.int64)
        ends[1] = -1
        found = np.empty((len(some) * self.per_constant, 4), np.int64)
        n, more = _mine(
            *self.index, *self.groups, some, self.min_support, self.min_confidence,
            self.per_constant, counts, ends, seen, marked, found,
        )  # fmt: skip
        return found[:n].copy(), int(more)

    @property
    def _n_steps(self) -> int:
        return 2 * self.index.n_relations


def mine_branches(
    index: WalkIndex,
    *,
    min_support: int = 3,
    min_confidence: float = 0.05,
    per_relation: int = 2000,
    per_constant: int | None = None,
    stop: Callable[[], bool] = bool,
    budget: float | None = None,
    ahead: Callable[[BranchMiner], Mapping[int, tuple[npt.NDArray[np.int64], int]]] | None = None,
) -> MinedBranches:
    """Mine every rule about one entity whose body is one atom, with enough support and confidence.

    Of bodies with a constant only those are kept that are right more often than the body with a
    variable in its place.

    Parameters
    ----------
    index : WalkIndex
    min_support : int
        Entities for which head and body hold.
    min_confidence : float
        Minimum support / body count.
    per_relation, per_constant : int
        Maximum number of rules per head relation, and per head (where left out 100, or a
        twentieth of ``per_relation`` if that is more, up to 10,000), ranked by
        support / (body count + 5).
    stop : callable
        Asked between blocks of heads: whether to leave the others out. Those with the most facts
        come first.
    budget : float, optional
        Edges to go through; the heads with the fewest come first.
    ahead : callable, optional
        Mines blocks in advance, elsewhere: those that it has not are mined here.
    """
    if per_constant is None:
        per_constant = max(PER_CONSTANT, min(round(PART * per_relation), MOST_PER_CONSTANT))
    miner = BranchMiner(
        index, min_support, min_confidence, per_constant, BUDGET if budget is None else budget
    )
    groups, notes, n_steps = miner.groups, miner.notes, 2 * index.n_relations
    known = {} if ahead is None else ahead(miner)
    parts = [np.zeros((0, 4), np.int64)]
    left_out = done = 0
    for k, some in enumerate(miner.blocks):
        if done and k not in known and stop():
            notes.append(
                f"warning: the time ended before rules about an entity were mined for "
                f"{miner.n_heads - done:,} of {miner.n_heads:,} pairs of relation and entity"
            )
            break
        rows, more = known[k] if k in known else miner.mine(k)
        parts.append(rows)
        left_out += more
        done += len(some)
    head, body, support, body_count = np.concatenate(parts).T
    turned = (groups.step + index.n_relations) % n_steps  # from the members to the entity
    anywhere, of = body < 0, np.maximum(body, 0)
    rules = MinedBranches(
        turned[head], groups.node[head],
        np.where(anywhere, -1 - body, turned[of]), np.where(anywhere, ANY, groups.node[of]),
        support, body_count, notes,
    )  # fmt: skip
    # The best of each relation; ties go to the greater support, then to the smaller numbers.
    order = np.lexsort((
        rules.end, rules.body, rules.constant, rules.step, -support, -support / (body_count + 5),
        rules.step % index.n_relations,
    ))  # fmt: skip
    of = (rules.step % index.n_relations)[order]
    place = np.arange(len(of)) - np.searchsorted(of, of)
    left_out += int((place >= per_relation).sum())
    if left_out:
        notes.append(
            f"{left_out:,} rules about an entity are left out: only the {per_constant:,} best of "
            f"each entity and the {per_relation:,} best of each relation are kept (per_relation)"
        )
    kept = order[place < per_relation]
    step, constant, body, end = (np.ascontiguousarray(a[kept], np.int32) for a in rules[:4])
    return MinedBranches(step, constant, body, end, support[kept], body_count[kept], notes)
