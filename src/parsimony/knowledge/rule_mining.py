"""Mining of rules from facts: every path rule with enough support, exactly counted.

For each relation, list the distinct paths of up to four steps that connect head and tail of its
facts, starting from the end with fewer walks; that gives every rule's exact support. Then count
the bodies of those with enough support, once for all relations
(:mod:`parsimony.knowledge.rule_bodies`). A fact is never its own evidence (see
:mod:`parsimony.knowledge.rule_counts`), and rules without support cost nothing.

How long bodies are, and what is counted of them, follows from a budget
(:mod:`parsimony.knowledge.rule_plan`). Counts are exact whatever was left out, and what was left
out is noted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.knowledge.rule_bodies import LONGEST, UNCOUNTED, path_digits, places
from parsimony.knowledge.rule_branch_mining import MinedBranches, mine_branches
from parsimony.knowledge.rule_branches import Branch, entity_names, from_branch
from parsimony.knowledge.rule_counts import relation_names
from parsimony.knowledge.rule_plan import USUAL, MiningPlan, steps_within
from parsimony.knowledge.rule_shards import MiningShards
from parsimony.knowledge.rule_walks import WalkIndex, build_walk_index
from parsimony.knowledge.rules import Rule
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine
from parsimony.run.shards import Shards

__all__ = ["Mined", "mine_paths", "mine_rules"]

PATHS = 0.5  # of the time, where rules about an entity are mined after them

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Mined(NamedTuple):
    """Rules as arrays: ``heads[i] <- paths[i]`` with its counts."""

    heads: list[int]
    paths: list[tuple[int, ...]]
    support: Longs
    body_count: Longs
    notes: list[str]


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
    ahead: Callable[[MiningPlan], None] | None = None,
) -> Mined:
    """Mine rules as arrays; see :func:`mine_rules`. ``max_length`` knows no budget of steps.

    ``ahead`` may count in advance, elsewhere: what it has not is counted here.
    """
    n = index.n_relations
    plan = MiningPlan(index, max_length, min_support, budget)
    if ahead is not None:
        ahead(plan)
    facts, bodies, lengths, first = plan.facts, plan.bodies, plan.lengths, plan.first
    plan.count_short(bodies)
    parts: dict[int, tuple[Longs, ...]] = {}
    cut: set[int] = set()

    def mine(r: int, longest: int, left: int) -> None:
        codes, counts = facts.paths(r, longest)
        pairs = plan.count(bodies, codes, counts[:, 0], left)
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
        length = (path_digits(codes[ranked], n) > 0).sum(axis=1)
        place = np.empty(len(ranked), np.int64)  # among those as long: none crowds out shorter ones
        for atoms in np.unique(length):
            of_length = length == atoms
            place[of_length] = np.arange(of_length.sum())
        if (place >= per_relation).any():
            cut.add(r)
        ranked = ranked[place < per_relation]
        parts[r] = np.full(len(ranked), r), codes[ranked], support[ranked], body[ranked]

    shallow = 0
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
    if plan.sparse:
        notes.append(
            f"rules of up to {LONGEST} atoms were mined: so many steps seldom join the ends of a "
            "fact by chance"
        )
    return Mined(heads.tolist(), _decode(codes, n), support, body, notes)


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
    engine: Engine | None = None,
    shards: Shards | None = None,
    quiet: bool = True,
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
        Maximum number of path rules of a length per head relation, ranked by
        support / (body count + 5).
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
    engine : Engine, optional
        Where to count (:mod:`parsimony.run.engine`), in shards: the rules and their counts are
        those of one process. ``seconds`` are kept.
    shards : Shards, optional
        Where finished shards are kept, to go on from after a kill: of the same facts and
        parameters.
    quiet : bool
        Show no progress of an engine.

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
    counted = {} if engine is None else _ahead(engine, shards, paths, whole, stop, quiet)
    mined = mine_paths(
        index,
        max_length=max_length,
        min_support=min_support,
        min_confidence=min_confidence,
        per_relation=per_relation,
        stop=lambda: stop() or paths.passed(),
        timed=paths.limited,
        budget=steps_within(paths.left()),
        ahead=counted.get("paths"),
    )
    branches = None
    if constants:
        branches = mine_branches(
            index, min_support=min_support, min_confidence=min_confidence,
            per_relation=per_relation, stop=lambda: stop() or whole.passed(),
            ahead=counted.get("branches"),
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


def _ahead(
    engine: Engine, shards: Shards | None, paths: Deadline, whole: Deadline,
    stop: Callable[[], bool], quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    """What is counted ahead, until when."""

    def by(deadline: Deadline) -> MiningShards:
        return MiningShards(engine, shards, deadline=deadline, stop=stop, quiet=quiet)

    return {"paths": by(paths).paths, "branches": by(whole).branches}


def _rules_of(mined: MinedBranches, graph: KnowledgeGraph) -> list[Rule]:
    relations, entities = relation_names(graph), entity_names(graph)
    columns = (array.tolist() for array in mined[:-1])
    return [
        from_branch(Branch(step, constant, (body,), end), relations, entities).with_counts(*counts)
        for step, constant, body, end, *counts in zip(*columns, strict=True)
    ]
