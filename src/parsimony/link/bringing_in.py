"""Which few facts, if they were true, would bring a wanted answer among the first ones.

What is tried are facts that complete a path: a kind of path that leads to the best answers now, and
to the wanted one but for one fact at its beginning or at its end, and facts of the relations asked
about. Greedy: of these the one goes in that puts the answer furthest up, until it has come far
enough; then each that is not needed is taken out again. The answer is scored anew each time, by the
same weights or rules, on the graph with these facts: one graph holds all that are tried, and is
asked without those that are not in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from parsimony.errors import UsageError
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.link.counterfactual import Counterfactual, Fact, Removal, Standing, standing
from parsimony.link.estimator import LinkEstimator
from parsimony.link.question import Question
from parsimony.link.striking import graph_rows, without
from parsimony.link.walk_kinds import walk_counts
from parsimony.run.steps import step_done

__all__ = ["METHOD", "bring_in"]

FOLLOWED = 5  # answers whose paths are looked at
CANDIDATES = 40
METHOD = (
    f"greedy: at each step, of at most {CANDIDATES} facts that would complete a path of a kind "
    f"that leads to one of the {FOLLOWED} best answers, the one that raises the answer's rank, "
    "then its score, most goes in; then every fact that is not needed is taken out again. Scores "
    "are exact: the same weights or rules on the graph with these facts; nothing is learned. No "
    "fact of the set can be left out; a smaller set of others may exist"
)


def bring_in(
    model: LinkEstimator[Any],
    fact: Fact,
    *,
    side: Side = "tail",
    within: int = 10,
    most: int = 5,
    among: Sequence[int] | None = None,
) -> Counterfactual:
    """Find facts with which an answer would be among the first ``within``.

    Parameters
    ----------
    model
        Fitted, by walks.
    fact
        Ids of head, relation and tail of the wanted answer, which itself is never added and, where
        the graph states it, is left out before and after.
    side
        Of the fact that is the answer.
    most
        Most facts that are added.
    among
        Relations of which facts may be added; all by default.

    Returns
    -------
    Counterfactual
        ``steps`` are the facts in the order in which they went in.

    Raises
    ------
    UsageError
        A method that keeps its facts in vectors, or that gives no reasons.
    """
    task = model.task_
    if not model.gives_reasons:
        raise UsageError(
            f"method {model.method!r} gives no reasons to start from",
            remedy="ask a run of redgnn, adaprop or rules",
        )
    question = Question.of(fact, side, task.n_relations)
    step_done()
    base = without(model, [fact])
    before = here = standing(base, question)
    notes = [] if task.split_of(*fact) != "train" else [
        "the fact itself is left out before and after: it is no reason for itself"
    ]  # fmt: skip
    if before.rank <= within:
        notes.append(f"the answer is among the first {within:,} to begin with")
        return Counterfactual((), before, here, (), tuple(notes))
    tried = _candidates(base, question, fact, among)
    if not tried:
        notes.append("no fact of these relations would complete a path to the answer")
        return Counterfactual((), before, here, (), tuple(notes))
    wide = model.on(_with(task.test_graph, tried))
    wide.scores(np.array([question[:2]]))  # indexed once, for all that is asked of it

    def asked(chosen: Sequence[Fact]) -> Standing:
        step_done()
        return standing(without(wide, [fact, *(each for each in tried if each not in chosen)]),
                        question)  # fmt: skip

    steps: list[Removal] = []
    while here.rank > within and len(steps) < most and len(steps) < len(tried):
        inside = [one.fact for one in steps]
        rest = [each for each in tried if each not in inside]
        found = [Removal(each, asked([*inside, each])) for each in rest]
        best = min(found, key=lambda one: (one.standing.rank, -one.standing.score))
        if (best.standing.rank, -best.standing.score) >= (here.rank, -here.score):
            notes.append("no further fact that was tried raises the answer")
            break
        steps.append(best)
        here = best.standing
    if here.rank > within:
        if len(steps) == most:
            notes.append(f"{most:,} facts, the most that may be added, do not suffice")
        return Counterfactual((), before, here, tuple(steps), tuple(notes))
    kept = [one.fact for one in steps]
    for each in list(kept[:-1]):
        others = [other for other in kept if other != each]
        if (now := asked(others)).rank <= within:
            kept, here = others, now
    return Counterfactual(tuple(kept), before, here, tuple(steps), tuple(notes))


def _with(graph: KnowledgeGraph, facts: Sequence[Fact]) -> KnowledgeGraph:
    """The graph and facts that it lacks."""
    more = np.array(facts, graph.triples.dtype)
    return KnowledgeGraph(
        np.concatenate([graph.triples, more]), graph.n_entities, graph.n_relations,
        graph.entities, graph.relations,
    )  # fmt: skip


def _candidates(
    model: LinkEstimator[Any], question: Question, fact: Fact, among: Sequence[int] | None
) -> list[Fact]:
    """Facts that complete paths to the answer, and that the graph lacks; the more paths, first."""
    graph, n = model.task_.test_graph, model.task_.n_relations
    gain: Counter[Fact] = Counter()
    for kind, weight in _kinds(model, question).items():
        turned = [(step + n) % (2 * n) for step in reversed(kind)]
        for last, start, end, rest in (
            (kind[-1], question.entity, question.answer, kind[:-1]),
            (turned[-1], question.answer, question.entity, turned[:-1]),
        ):
            step_done()
            r = last % n
            if among is not None and r not in among:
                continue
            count = walk_counts(graph, start, rest)
            count[end] = 0
            if rest:  # a fact at the entity itself is a path of one fact
                count[start] = 0
            best = np.argsort(-count, kind="stable")[:CANDIDATES]
            for e in best[count[best] > 0].tolist():
                added = (end, r, e) if last >= n else (e, r, end)
                gain[added] += weight
    del gain[fact]
    facts = [each for each, _ in gain.most_common()]
    stated = {*map(tuple, graph_rows(graph.triples, np.array(facts).reshape(-1, 3)).tolist())}
    return [each for each in facts if each not in stated][:CANDIDATES]


def _kinds(model: LinkEstimator[Any], question: Question) -> Counter[tuple[int, ...]]:
    """Kinds of paths that lead to the best answers, and how many of these."""
    data, n = model.task_.test_data, model.task_.n_relations
    row = model.scores(np.array([question[:2]]))[0]
    row[[question.entity, question.answer]] = -np.inf
    best = np.argsort(-row, kind="stable")[:FOLLOWED]
    side: Side = "head" if question.relation >= n else "tail"
    kinds: Counter[tuple[int, ...]] = Counter()
    for e in best[np.isfinite(row[best])].tolist():
        step_done()
        head, tail = (e, question.entity) if side == "head" else (question.entity, e)
        found = model.explain(
            data.entities.name(head), data.relations.name(question.relation % n),
            data.entities.name(tail), side=side, draws=1,
        )  # fmt: skip
        for path in found.paths:
            kind = tuple(
                data.relations.index(s.relation) + n * (s.direction == "inverse")
                for s in path.steps
            )
            if kind:
                kinds[kind] += 1
    return kinds
