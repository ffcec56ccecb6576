"""Mining of rules from facts: every path rule with enough support, exactly counted.

For each relation, list the distinct paths of up to four steps that connect head and tail of its
facts, starting from the end with fewer walks; that gives every rule's exact support. Then count
the bodies of those with enough support, once for all relations
(:mod:`parsimony.knowledge.rule_bodies`). A fact is never its own evidence (see
:mod:`parsimony.knowledge.rule_counts`), and rules without support cost nothing.

Where no length is asked for, each relation gets the longest that its own facts allow within a
budget, so that a hub costs the relations through it their long rules and no other relation. Counts
are exact whatever was left out, and what was left out is noted. Four steps are taken where the
graph is sparse: where so many steps seldom lead from one end of a fact to the other by chance.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_bodies import LONGEST, UNCOUNTED, Bodies, path_digits, places
from parsimony.knowledge.rule_branch_mining import MinedBranches, mine_branches
from parsimony.knowledge.rule_branches import Branch, entity_names, from_branch
from parsimony.knowledge.rule_counts import relation_names
from parsimony.knowledge.rule_walks import WalkIndex, build_walk_index, is_own
from parsimony.knowledge.rules import Rule
from parsimony.run.deadline import Deadline

__all__ = ["Mined", "affordable_lengths", "mine_paths", "mine_rules"]

USUAL = 3  # atoms of a body at most, but on a sparse graph
BUDGET = 2e9  # edges traversed and paths found; up to about a minute on one core
# Where the longest rules of all relations cost more than that, those of most may still cost so much
# together: a hub makes few relations expensive, and they alone do without.
LONG = BUDGET / 8
PER_SECOND = 1e8  # steps of mining, roughly, on one core: how far a time budget reaches
PATHS = 0.5  # of the time, where rules about an entity are mined after them
_SLOTS = 1 << 24  # maximum number of distinct paths per relation: a table of 448 MiB

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Mined(NamedTuple):
    """Rules as arrays: ``heads[i] <- paths[i]`` with its counts."""

    heads: list[int]
    paths: list[tuple[int, ...]]
    support: Longs
    body_count: Longs
    notes: list[str]


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


def _walks(index: WalkIndex, length: int) -> npt.NDArray[np.float64]:
    """Return the number of walks of a length from each entity, (n_entities,)."""
    walks = np.ones(index.n_entities)
    for _ in range(length):
        total = np.zeros(len(index.neighbour) + 1)
        np.cumsum(walks[index.neighbour], out=total[1:])
        walks = total[index.indptr[1:]] - total[index.indptr[:-1]]
    return walks


def affordable_lengths(index: WalkIndex, budget: float, long: float) -> Longs:
    """Return the longest body, 1 to 4, that can be mined for each relation.

    Parameters
    ----------
    budget : float
        Steps for all relations and bodies together: 3 for all where that suffices, and 4 where the
        graph is sparse, too.
    long : float
        Steps for rules of length 3 of more than half of the relations where it does not, those with
        the least to do first.

    Returns
    -------
    int64 array, shape (n_relations,)
    """
    n = index.n_relations
    node = np.repeat(np.arange(index.n_entities), np.diff(index.indptr))
    if not len(node):
        return np.full(n, USUAL)
    degree, of = np.diff(index.indptr), index.relation % n
    joined = len(np.unique(node * index.n_entities + index.neighbour))
    parallel = 4 * len(node) / joined  # edges that join a pair, and some more
    lengths = np.ones(n, np.int64)
    for longest, limit in ((2, budget), (3, long)):
        part, whole = _walks(index, longest - 1), _walks(index, longest)
        listed = np.minimum(part[node], part[index.neighbour])
        # Of the walks from x, a fraction degree(y) / edges is expected to end in y.
        joining = whole[node] * degree[index.neighbour] / len(node)
        if longest == USUAL and (listed + joining).sum() + whole.sum() <= budget:
            return np.full(n, LONGEST if _is_sparse(index, budget) else USUAL)
        cost = np.bincount(of, listed + np.minimum(joining, parallel * listed), minlength=n)
        order = np.argsort(cost, kind="stable")
        within = np.zeros(n, bool)
        within[order] = np.cumsum(cost[order]) <= limit
        if longest == USUAL and 2 * within.sum() <= n:
            break  # no matter of a hub: the whole graph is dense
        lengths[within & (lengths == longest - 1)] = longest
    return lengths


def _is_sparse(index: WalkIndex, budget: float) -> bool:
    """Whether four steps join the ends of most facts by chance less than once.

    Of the walks from x, a fraction degree(y) / edges is expected to end in y.
    """
    if places(index.n_relations) < LONGEST:
        return False
    node = np.repeat(np.arange(index.n_entities), np.diff(index.indptr))
    listed = np.minimum(*(_walks(index, LONGEST - 1)[of] for of in (node, index.neighbour)))
    joining = _walks(index, LONGEST)[node] * np.diff(index.indptr)[index.neighbour] / len(node)
    return bool(listed.sum() <= budget and np.median(joining) < 1)


def mine_paths(
    index: WalkIndex,
    *,
    max_length: int | None = None,
    min_support: int = 3,
    min_confidence: float = 0.05,
    per_relation: int = 2000,
    stop: Callable[[], bool] = bool,
    timed: bool = False,
    budget: float | None = None,
) -> Mined:
    """Mine rules as arrays; see :func:`mine_rules`. ``max_length`` knows no budget of steps."""
    n = index.n_relations
    budget = BUDGET if budget is None else budget
    long = LONG if budget <= BUDGET else LONG * budget / BUDGET
    lengths = np.full(n, max_length or 0)
    if max_length is None:
        lengths = affordable_lengths(index, budget, long)
    facts = _Facts(index, min_support)
    # Where all is affordable, or asked for, the bodies are counted whatever it takes, but for those
    # of four atoms that nobody asked for.
    sparse = max_length is None and bool((lengths == LONGEST).all())
    whole = max_length is not None or bool((lengths == USUAL).all())
    bodies = Bodies(index, np.inf if whole else budget)
    if not whole and not sparse and (lengths == USUAL).any():
        short = [facts.paths(r, min(int(lengths[r]), 2))[0] for r in range(n)]
        bodies(np.unique(np.concatenate(short)))  # before any long one
        bodies.left = min(bodies.left, long)
    parts: dict[int, tuple[Longs, ...]] = {}
    cut: set[int] = set()

    def mine(r: int, longest: int, left: int) -> None:
        codes, counts = facts.paths(r, longest)
        if sparse:
            bodies(codes[codes % (2 * n + 1) == 0], np.inf)
        pairs = bodies(codes, 1 / left if (lengths >= USUAL).any() else 1.0)
        counted = pairs != UNCOUNTED
        codes, counts, pairs = codes[counted], counts[counted], pairs[counted]
        support = counts[:, 0]
        body = pairs - counts[:, 1] + support
        confidence = support / np.maximum(body, 1)
        keep = confidence >= min_confidence
        keep &= ~_detours(codes, confidence, n, r)
        # Ties go to the shorter path, whose code ends in zeros, then to the smaller code.
        ranked = np.lexsort((codes, -support, -support / (body + 5)))
        ranked = ranked[keep[ranked]]
        if len(ranked) > per_relation:
            cut.add(r)
        ranked = ranked[:per_relation]
        parts[r] = np.full(len(ranked), r), codes[ranked], support[ranked], body[ranked]

    shallow, first = 0, USUAL if sparse else USUAL - 1
    for r in range(n if timed else 0):  # something of every relation, before all of some
        if parts and stop():
            break
        mine(r, min(int(lengths[r]), first), n - r)
    for r in range(n):
        if timed and r in parts and lengths[r] <= first:
            continue
        if parts and stop():
            shallow += sum(lengths[other] > first for other in range(r, n) if other in parts)
            break
        mine(r, int(lengths[r]), n - r)
    heads, codes, support, body = (
        np.concatenate(column) for column in zip(*(parts[r] for r in sorted(parts)), strict=True)
    )
    notes = _notes(lengths, max_length, bodies.n_uncounted, facts.dropped, n - len(parts))
    if shallow:
        notes.append(
            f"warning: the time ended before rules of more than {first} atoms were mined for "
            f"{shallow:,} of {n:,} relations"
        )
    if cut:
        notes.append(
            f"of {len(cut):,} relations only the {per_relation:,} best rules are kept "
            "(per_relation)"
        )
    if sparse:
        notes.append(
            f"rules of up to {LONGEST} atoms were mined: so many steps seldom join the ends of a "
            "fact by chance"
        )
    return Mined(heads.tolist(), _decode(codes, n), support, body, notes)


class _Facts:
    """The paths that connect the facts of each relation."""

    def __init__(self, index: WalkIndex, min_support: int) -> None:
        self.index, self.min_support = index, min_support
        self.node = np.repeat(np.arange(index.n_entities, dtype=np.int32), np.diff(index.indptr))
        # Rows are sorted by relation already, which a stable sort of their neighbours keeps.
        self.by_neighbour = _by_pair(self.node, index.neighbour, index.n_entities)
        self.dropped = 0
        self._walks: dict[int, npt.NDArray[np.float64]] = {}

    def paths(self, r: int, longest: int) -> tuple[Longs, Longs]:
        """Codes of the paths with enough support, and their counts; see ``_paths_between``."""
        length = max(longest - 1, 1)
        if length not in self._walks:  # a pass over all edges, the same for all relations
            self._walks[length] = _walks(self.index, length)
        walks = self._walks[length]
        edges = np.flatnonzero(self.index.relation == r)
        x, y = self.node[edges], self.index.neighbour[edges]
        facts = np.stack([x, y], axis=1)
        facts = facts[np.argsort(np.where(walks[y] < walks[x], x, y), kind="stable")]
        codes, counts, dropped = _paths_between(
            *self.index[:3], self.by_neighbour, self.index.n_relations,
            places(self.index.n_relations), walks, facts, r, longest, _SLOTS,
        )  # fmt: skip
        self.dropped += dropped
        enough = counts[:, 0] >= self.min_support
        return codes[enough], counts[enough].astype(np.int64)


def _by_pair(node: Ints, neighbour: Ints, n: int) -> Longs:
    """Return the order of edges by node and neighbour, keeping that of equal ones."""
    return np.argsort(node.astype(np.int64) * n + neighbour, kind="stable")


def _notes(
    lengths: Longs, asked: int | None, uncounted: int, dropped: int, unmined: int
) -> list[str]:
    """Say what mining left out to stay within its budget, its memory or its time."""
    notes, n = [], len(lengths)
    if unmined:
        notes.append(f"warning: the time ended before {unmined:,} of {n:,} relations were mined")
    if asked is None:
        for longest in range(1, USUAL):
            if short := int((lengths == longest).sum()):
                atoms = "atom" if longest == 1 else "atoms"
                notes.append(
                    f"warning: for {short:,} of {n:,} relations only rules of up to {longest} "
                    f"{atoms} were mined: longer ones have too many walks "
                    f"(max_length={USUAL} mines them, however long it takes)"
                )
    if uncounted:
        notes.append(
            f"warning: {uncounted:,} candidate bodies were left out: they connect too many pairs "
            "to be counted within the budget (a given max_length counts all)"
        )
    if dropped:
        notes.append(
            f"warning: {dropped:,} occurrences of rare paths were left out: more distinct paths "
            "than fit into memory"
        )
    return notes


def _detours(
    codes: Longs, confidence: npt.NDArray[np.float64], n: int, r: int
) -> npt.NDArray[np.bool_]:
    """Mark paths that extend a shorter, no less confident rule by a step out and back.

    ``r(X,Y) <- p(X,A), p(B,A), q(B,Y)`` holds wherever ``r(X,Y) <- q(X,Y)`` does, with B = X.
    """
    digits, base = path_digits(codes, n), 2 * n + 1
    order = np.argsort(codes)
    marked = np.zeros(len(codes), dtype=bool)
    for k in range(digits.shape[1] - 1):
        there, back = digits[:, k], digits[:, k + 1]
        undone = (back > 0) & ((there - 1 + n) % (2 * n) == back - 1)
        left = np.delete(digits, (k, k + 1), axis=1)
        short = np.zeros(len(codes), np.int64)
        for digit in left.T:
            short = short * base + digit
        short *= base**2
        at = np.minimum(np.searchsorted(codes, short, sorter=order), max(len(codes) - 1, 0))
        at = order[at]
        is_head = (left[:, 0] - 1 == r) & ~left[:, 1:].any(axis=1)
        marked |= undone & (codes[at] == short) & (confidence[at] >= confidence) & ~is_head
    return marked


def _decode(codes: Longs, n: int) -> list[tuple[int, ...]]:
    """Decode the paths from their digits."""
    digits = path_digits(codes, n) - 1
    return [tuple(step for step in path if step >= 0) for path in digits.tolist()]


def mine_rules(
    graph: KnowledgeGraph,
    *,
    max_length: int | None = None,
    min_support: int = 3,
    min_confidence: float = 0.05,
    per_relation: int = 2000,
    top: int | None = None,
    constants: bool = False,
    stop: Callable[[], bool] = bool,
    seconds: float | None = None,
    notes: list[str] | None = None,
) -> list[Rule]:
    """Find all path rules with enough support and confidence, and rules about an entity.

    Parameters
    ----------
    graph : KnowledgeGraph
    max_length : int, optional
        Maximum number of body atoms, 1 to 4, whatever it takes. Default: for each relation 3, or
        fewer where its facts have so many walks of that length that following them would take
        more than a minute, or than ``seconds`` allow; there, bodies that connect too many pairs
        are left out. On a sparse graph, where walks of 4 steps seldom join the ends of a fact by
        chance, it is 4.
    min_support : int
        Minimum number of facts of the head that the body connects without the fact itself.
    min_confidence : float
        Minimum support / body count.
    per_relation : int
        Maximum number of path rules per head relation, ranked by support / (body count + 5).
    top : int, optional
        Maximum number of rules in total.
    constants : bool
        Whether to mine ``h(X,c) <- b(X,d)`` and ``h(X,c) <- b(X,A)``, too, once the path rules are
        mined; at most ``per_relation`` of each head relation, besides the path rules.
    stop : callable
        Asked before every relation but the first: whether to leave the others out.
    seconds : float, optional
        When to end. More than two minutes let longer rules be followed on a dense graph, in half
        of them where rules about an entity come after. Rules of up to two atoms are then mined of
        every relation before longer ones.
    notes : list of str, optional
        Receives what was left out; without it a length or body left out is a warning.

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
        ("max_length", 1 if max_length is None else max_length, 1, places(graph.n_relations)),
        ("min_support", min_support, 1, np.inf),
        ("min_confidence", min_confidence, 0, 1),
        ("per_relation", per_relation, 1, np.inf),
        ("top", 1 if top is None else top, 1, np.inf),
    ):
        if not low <= value <= high:
            raise InvalidParameter(
                f"{name} is {value}", remedy=f"choose a value from {low} to {high}"
            )
    index = build_walk_index(graph)
    whole = Deadline(seconds)
    paths = whole.part(PATHS) if constants else whole
    mined = mine_paths(
        index,
        max_length=max_length,
        min_support=min_support,
        min_confidence=min_confidence,
        per_relation=per_relation,
        stop=lambda: stop() or paths.passed(),
        timed=paths.limited,
        budget=max(BUDGET, PER_SECOND * paths.left()) if paths.limited else BUDGET,
    )
    branches = None
    if constants:
        branches = mine_branches(
            index, min_support=min_support, min_confidence=min_confidence,
            per_relation=per_relation, stop=lambda: stop() or whole.passed(),
        )  # fmt: skip
    said = mined.notes + (branches.notes if branches else [])
    if notes is not None:
        notes += said
    else:
        for note in said:
            if note.startswith("warning: "):
                warnings.warn(note.removeprefix("warning: "), UserWarning, 2)
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
    if branches:
        rules += _rules_of(branches, graph)
        rules.sort(key=lambda rule: (-rule.confidence, -rule.support))
    return rules[:top]


def _rules_of(mined: MinedBranches, graph: KnowledgeGraph) -> list[Rule]:
    relations, entities = relation_names(graph), entity_names(graph)
    columns = (array.tolist() for array in mined[:-1])
    return [
        from_branch(Branch(step, constant, (body,), end), relations, entities).with_counts(*counts)
        for step, constant, body, end, *counts in zip(*columns, strict=True)
    ]
