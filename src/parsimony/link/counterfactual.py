"""Which few facts hold up an answer: without them it is no longer among the first ones.

Greedy: of the facts on the paths that an explanation names, on the graph as it is by then, the one
whose removal puts the answer furthest down goes, until the answer has fallen far enough. Then each
of these facts is put back alone, and stays where the answer is far down without it: what is left
is irreducible, not proven to be the smallest set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parsimony.explain.parts import Side
from parsimony.link.estimator import LinkEstimator
from parsimony.link.question import Question
from parsimony.link.striking import without

__all__ = ["METHOD", "Counterfactual", "Removal", "Standing", "by_names", "counterfactual",
           "standing"]  # fmt: skip

N_PATHS = 10
CANDIDATES = 30
METHOD = (
    f"greedy: at each step, of at most {CANDIDATES} facts on the {N_PATHS} first paths that the "
    "explanation names, the one whose removal lowers the answer's rank, then its score, most; "
    "then every fact that is not needed is put back. No fact of the set can be left out; a smaller "
    "set of others may exist"
)
Fact = tuple[int, int, int]


@dataclass(frozen=True)
class Standing:
    """Score, probability and filtered rank of an answer."""

    score: float
    probability: float
    rank: float


@dataclass(frozen=True)
class Removal:
    """A fact that was taken out, and where the answer stood then."""

    fact: Fact
    standing: Standing


@dataclass(frozen=True)
class Counterfactual:
    """What was found.

    ``facts`` is empty where the answer stays among the first ones, or is not among them to begin
    with; ``steps`` are the removals in the order of the search, of which some were put back.
    """

    facts: tuple[Fact, ...]
    before: Standing
    after: Standing
    steps: tuple[Removal, ...]
    notes: tuple[str, ...]


def standing(model: LinkEstimator[Any], question: Question) -> Standing:
    """Where an answer stands by a model; ties are counted half, known other answers left out."""
    row = model.scores(np.array([question[:2]]))[0]
    probability = model.probability(row)
    return Standing(
        float(row[question.answer]), float(probability[question.answer]),
        question.rank(row, model.task_),
    )  # fmt: skip


def counterfactual(
    model: LinkEstimator[Any],
    fact: Fact,
    *,
    side: Side = "tail",
    beyond: int = 10,
    most: int = 10,
    among: Sequence[int] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Counterfactual:
    """Find facts without which an answer is no longer among the first ``beyond``.

    Parameters
    ----------
    model
        Fitted, by walks.
    fact
        Ids of head, relation and tail. Where the graph states it, it is left out before and after:
        a fact is no reason for itself.
    side
        Of the fact that is the answer.
    most
        Most facts that are taken out.
    among
        Relations whose facts may be taken out; all by default.
    check
        Called before every question to the model; it may raise to end the search.

    Raises
    ------
    UsageError
        A method that keeps its facts in vectors, or that gives no reasons.
    """
    question = Question.of(fact, side, model.task_.n_relations)
    gone: list[Fact] = [fact]
    check()
    now = without(model, gone)
    before = here = standing(now, question)
    steps: list[Removal] = []
    notes = [] if model.task_.split_of(*fact) != "train" else [
        "the fact itself is left out before and after: it is no reason for itself"
    ]  # fmt: skip
    while here.rank <= beyond and len(steps) < most:
        tried = []
        for each in _candidates(now, fact, side, among, check):
            check()
            tried.append(Removal(each, standing(without(model, [*gone, each]), question)))
        if not tried:
            notes.append("no path is left whose facts could be taken out")
            break
        best = max(tried, key=lambda one: (one.standing.rank, -one.standing.score))
        steps.append(best)
        gone.append(best.fact)
        here, now = best.standing, without(model, gone)
    if before.rank > beyond:
        notes.append(f"the answer is not among the first {beyond:,} to begin with")
    elif here.rank <= beyond and len(steps) == most:
        notes.append(f"{most:,} facts, the most that may go, do not suffice")
    if before.rank > beyond or here.rank <= beyond:
        return Counterfactual((), before, here, tuple(steps), tuple(notes))
    kept = [step.fact for step in steps]
    for each in list(kept[:-1]):
        check()
        others = [f for f in kept if f != each]
        found = standing(without(model, [fact, *others]), question)
        if found.rank > beyond:
            kept, here = others, found
    return Counterfactual(tuple(kept), before, here, tuple(steps), tuple(notes))


def _candidates(
    model: LinkEstimator[Any], fact: Fact, side: Side, among: Sequence[int] | None,
    check: Callable[[], None],
) -> list[Fact]:  # fmt: skip
    """The facts on the first paths of an explanation, each once, in the order of the paths."""
    check()
    data = model.task_.test_data
    h, r, t = data.entities.name(fact[0]), data.relations.name(fact[1]), data.entities.name(fact[2])
    found = model.explain(h, r, t, side=side, n_paths=N_PATHS, draws=1)
    facts: dict[Fact, None] = {}
    for path in found.paths:
        for step in path.steps:
            relation = data.relations.index(step.relation)
            if among is None or relation in among:
                facts[data.entities.index(step.head), relation, data.entities.index(step.tail)] = (
                    None
                )
    return list(facts)[:CANDIDATES]


def by_names(
    found: Counterfactual, model: LinkEstimator[Any], method: str = METHOD
) -> dict[str, Any]:
    """The result by names, as the interfaces give it."""
    data = model.task_.test_data

    def named(fact: Fact) -> tuple[str, str, str]:
        h, r, t = fact
        return data.entities.name(h), data.relations.name(r), data.entities.name(t)

    return {
        "found": bool(found.facts),
        "facts": [named(fact) for fact in found.facts],
        "before": vars(found.before),
        "after": vars(found.after),
        "steps": [
            {"fact": named(step.fact), **vars(step.standing)} for step in found.steps
        ],
        "method": method,
        "notes": list(found.notes),
    }  # fmt: skip
