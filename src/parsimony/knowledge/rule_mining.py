"""Mining of rules from facts: every path rule with enough support, exactly counted.

For each relation, list the distinct paths of up to three steps that connect head and tail of its
facts, starting from the end with fewer walks; that gives every rule's exact support. Then count
the bodies of those with enough support, once for all relations. A fact is never its own evidence
(see :mod:`parsimony.knowledge.rule_counts`), and rules without support cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_counts import relation_names
from parsimony.knowledge.rule_walks import (
    PathTrie,
    WalkIndex,
    build_walk_index,
    count_levels,
    is_own,
)
from parsimony.knowledge.rules import Rule

__all__ = ["Mined", "affordable_length", "mine_paths", "mine_rules"]

LONGEST = 3
BUDGET = 2e9  # edges traversed and paths found; up to about a minute on one core
_SLOTS = 1 << 24  # maximum number of distinct paths per relation: a table of 448 MiB

Longs = npt.NDArray[np.int64]


class Mined(NamedTuple):
    """Rules as arrays: ``heads[i] <- paths[i]`` with its counts."""

    heads: list[int]
    paths: list[tuple[int, ...]]
    support: Longs
    body_count: Longs


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
    indptr, step_of, neighbour, by_neighbour, n_relations, walks, facts, r, longest, max_slots
):
    """Count, for every path of up to three steps, the facts of r whose ends it connects.

    A path is encoded as the number with the three digits ``step + 1`` in base ``2 R + 1``, first
    step first, padded with zeros: sorted codes are a trie in preorder.

    IN  the WalkIndex; by_neighbour (n_edges,): edge positions sorted within a row by neighbour
        walks (n_entities,): number of walks that start there; facts (n, 2): x and y; r
    OUT codes (n,);  counts (n, 2): facts that the path connects without, and with, themselves
    """
    base = np.int64(2 * n_relations + 1)
    keys = np.zeros(1 << 12, np.int64)
    # A row: facts connected without and with themselves, and the last fact of either kind.
    table = np.full((1 << 12, 4), -1, np.int32)
    used = 0
    stamp = np.full(len(indptr) - 1, -1, np.int64)
    first = np.zeros(len(indptr) - 1, np.int64)  # where the goal's row has this neighbour
    digits = np.zeros(3, np.int64)
    for f in range(len(facts)):
        x, y = facts[f, 0], facts[f, 1]
        swapped = walks[y] < walks[x]
        start, goal = (y, x) if swapped else (x, y)
        for j in range(indptr[goal], indptr[goal + 1]):
            b = neighbour[by_neighbour[j]]
            if stamp[b] != f:
                stamp[b] = f
                first[b] = j
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
                if stamp[node2] != f:
                    continue
                if n2 == 2:
                    own2 = own1 or is_own(node1, step_of[b], node2, x, r, y, n_relations)
                j = first[node2]
                while j < indptr[goal + 1] and neighbour[by_neighbour[j]] == node2:
                    back = step_of[by_neighbour[j]]  # goal → node2
                    j += 1
                    own = own2 or is_own(goal, back, node2, x, r, y, n_relations)
                    digits[n2] = back - n_relations if back >= n_relations else back + n_relations
                    code = np.int64(0)
                    for d in range(3):
                        code *= base
                        if d <= n2 and not swapped:
                            code += digits[d] + 1
                        elif d <= n2:  # the same walk in the opposite direction
                            code += (digits[n2 - d] + n_relations) % (2 * n_relations) + 1
                    at = _slot(keys, code)
                    if keys[at] == 0:
                        if used * 2 >= len(keys):
                            if len(keys) >= max_slots:
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
    return keys[full], table[full, :2]


class _Bodies:
    """Number of pairs connected by each path, counted on first use."""

    def __init__(self, index: WalkIndex) -> None:
        self.index = index
        self.base = 2 * index.n_relations + 1
        self.codes = np.zeros(0, np.int64)
        self.counts = np.zeros(0, np.int64)

    def __call__(self, codes: Longs) -> Longs:
        new = np.setdiff1d(codes, self.codes)
        if len(new):
            codes_now = np.concatenate([self.codes, new])
            counts = np.concatenate([self.counts, self._count(new)])
            order = np.argsort(codes_now)
            self.codes, self.counts = codes_now[order], counts[order]
        found: Longs = self.counts[np.searchsorted(self.codes, codes)]
        return found

    def _count(self, codes: Longs) -> Longs:
        below = [np.int64(self.base) ** k for k in (2, 1, 0)]
        nodes = np.unique(np.concatenate([codes // unit * unit for unit in below]))
        digits = np.stack([nodes // unit % self.base for unit in below], axis=1)
        depth = np.count_nonzero(digits, axis=1)
        step = digits[np.arange(len(nodes)), depth - 1] - 1
        end = np.searchsorted(nodes, nodes + np.array(below)[depth - 1])
        trie = PathTrie(*(a.astype(np.int32) for a in (step, depth, end)))
        body = np.zeros(len(nodes), dtype=np.int64)
        no_heads = np.zeros(len(nodes) + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)
        count_levels(*self.index[:3], *trie, *no_heads, body, np.zeros(0, dtype=np.int64))
        counted: Longs = body[np.searchsorted(nodes, codes)]
        return counted


def _walks(index: WalkIndex, length: int) -> npt.NDArray[np.float64]:
    """Return the number of walks of a length from each entity, (n_entities,)."""
    walks = np.ones(index.n_entities)
    for _ in range(length):
        total = np.zeros(len(index.neighbour) + 1)
        np.cumsum(walks[index.neighbour], out=total[1:])
        walks = total[index.indptr[1:]] - total[index.indptr[:-1]]
    return walks


def affordable_length(index: WalkIndex, budget: float = BUDGET) -> int:
    """Return the longest body, 1 to 3, that can be mined in an estimated ``budget`` of steps."""
    node = np.repeat(np.arange(index.n_entities), np.diff(index.indptr))
    degree = np.diff(index.indptr)
    longest = LONGEST
    while longest > 1:
        part, whole = _walks(index, longest - 1), _walks(index, longest)
        listed = np.minimum(part[node], part[index.neighbour]).sum()
        # Of the walks from x, a fraction degree(y) / edges is expected to end in y.
        joining = (whole[node] * degree[index.neighbour]).sum() / max(len(node), 1)
        if listed + joining + whole.sum() <= budget:
            break
        longest -= 1
    return longest


def mine_paths(
    index: WalkIndex,
    *,
    max_length: int | None = None,
    min_support: int = 3,
    min_confidence: float = 0.05,
    per_relation: int = 2000,
    stop: Callable[[], bool] = bool,
) -> Mined:
    """Mine rules as arrays; see :func:`mine_rules`."""
    longest = affordable_length(index) if max_length is None else max_length
    base = 2 * index.n_relations + 1
    node = np.repeat(np.arange(index.n_entities, dtype=np.int32), np.diff(index.indptr))
    by_neighbour = np.lexsort((index.relation, index.neighbour, node))
    walks = _walks(index, max(longest - 1, 1))
    bodies = _Bodies(index)
    parts: list[tuple[Longs, ...]] = []
    for r in range(index.n_relations):
        if parts and stop():
            break
        edges = np.flatnonzero(index.relation == r)
        facts = np.stack([node[edges], index.neighbour[edges]], axis=1)
        codes, counts = _paths_between(
            *index[:3], by_neighbour, index.n_relations, walks, facts, r, longest, _SLOTS
        )
        enough = counts[:, 0] >= min_support
        codes, counts = codes[enough], counts[enough].astype(np.int64)
        support = counts[:, 0]
        body = bodies(codes) - counts[:, 1] + support
        confidence = support / np.maximum(body, 1)
        keep = confidence >= min_confidence
        keep &= ~_detours(codes, confidence, base, r)
        # Ties go to the shorter path, whose code ends in zeros, then to the smaller code.
        ranked = np.lexsort((codes, -support, -support / (body + 5)))
        ranked = ranked[keep[ranked]][:per_relation]
        parts.append((np.full(len(ranked), r), codes[ranked], support[ranked], body[ranked]))
    heads, codes, support, body = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Mined(heads.tolist(), _decode(codes, base), support, body)


def _detours(
    codes: Longs, confidence: npt.NDArray[np.float64], base: int, r: int
) -> npt.NDArray[np.bool_]:
    """Mark paths that extend a shorter, no less confident rule by a step out and back.

    ``r(X,Y) <- p(X,A), p(B,A), q(B,Y)`` holds wherever ``r(X,Y) <- q(X,Y)`` does, with B = X.
    """
    first, second, third = codes // base**2, codes // base % base, codes % base
    n = base // 2

    def undone(one: Longs, other: Longs) -> npt.NDArray[np.bool_]:
        back: npt.NDArray[np.bool_] = (third > 0) & ((one - 1 + n) % (2 * n) == other - 1)
        return back

    order = np.argsort(codes)
    marked = np.zeros(len(codes), dtype=bool)
    for there_and_back, rest in ((undone(first, second), third), (undone(second, third), first)):
        short = rest * base**2
        at = np.minimum(np.searchsorted(codes, short, sorter=order), max(len(codes) - 1, 0))
        at = order[at]
        better = (codes[at] == short) & (confidence[at] >= confidence) & (rest - 1 != r)
        marked |= there_and_back & better
    return marked


def _decode(codes: Longs, base: int) -> list[tuple[int, ...]]:
    """Decode the paths from their digits."""
    digits = np.stack([codes // base**2, codes // base % base, codes % base], axis=1) - 1
    return [tuple(step for step in path if step >= 0) for path in digits.tolist()]


def mine_rules(
    graph: KnowledgeGraph,
    *,
    max_length: int | None = None,
    min_support: int = 3,
    min_confidence: float = 0.05,
    per_relation: int = 2000,
    top: int | None = None,
    stop: Callable[[], bool] = bool,
) -> list[Rule]:
    """Find all path rules with enough support and confidence.

    Parameters
    ----------
    graph : KnowledgeGraph
    max_length : int, optional
        Maximum number of body atoms, 1 to 3. Default: 3, or fewer on a graph with so many walks of
        that length that enumerating them would take more than a minute.
    min_support : int
        Minimum number of facts of the head that the body connects without the fact itself.
    min_confidence : float
        Minimum support / body count.
    per_relation : int
        Maximum number of rules per head relation, ranked by support / (body count + 5).
    top : int, optional
        Maximum number of rules in total.
    stop : callable
        Asked before every relation but the first: whether to leave the others out.

    Returns
    -------
    list of Rule
        By confidence, then support, descending. ``r(X,Y) <- r(X,Y)`` is never among them, nor are
        bodies that add a step out and back to a shorter rule.

    Raises
    ------
    InvalidParameter
        A parameter is outside its range.
    """
    for name, value, low, high in (
        ("max_length", LONGEST if max_length is None else max_length, 1, LONGEST),
        ("min_support", min_support, 1, np.inf),
        ("min_confidence", min_confidence, 0, 1),
        ("per_relation", per_relation, 1, np.inf),
        ("top", 1 if top is None else top, 1, np.inf),
    ):
        if not low <= value <= high:
            raise InvalidParameter(
                f"{name} is {value}", remedy=f"choose a value from {low} to {high}"
            )
    mined = mine_paths(
        build_walk_index(graph),
        max_length=max_length,
        min_support=min_support,
        min_confidence=min_confidence,
        per_relation=per_relation,
        stop=stop,
    )
    # Ties are broken by the paths themselves, so that the order depends only on the facts.
    order = sorted(
        range(len(mined.heads)),
        key=lambda i: (
            -mined.support[i] / mined.body_count[i],
            -mined.support[i],
            len(mined.paths[i]),
            mined.heads[i],
            mined.paths[i],
        ),
    )
    names, n = relation_names(graph), graph.n_relations
    rules = []
    for i in order[:top]:
        steps = [(names[step % n], step >= n) for step in mined.paths[i]]
        rule = Rule.from_path(names[mined.heads[i]], steps)
        rules.append(rule.with_counts(int(mined.support[i]), int(mined.body_count[i])))
    return rules
