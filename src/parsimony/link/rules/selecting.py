"""Which way to combine rules is best, measured on validation for each relation and side.

What the rules lead to is found once per query, and every way to combine is tried on it. A relation
and side with few queries follows the others: the mean over all counts there as so many more
answers, a number that is itself chosen by halves of the validation queries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from parsimony.kernels.ranking import filtered_counts, nothing_listed
from parsimony.link.frequency import FLOOR, Beside, Frequencies, of_one
from parsimony.link.rules.combining import Plan, combine
from parsimony.link.task import QuerySet
from parsimony.metrics.ranking import rank_of
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.stopping import stopped

if TYPE_CHECKING:
    from parsimony.link.rules.scoring import RuleScorer

__all__ = ["chosen_by_group", "reciprocal_ranks", "sides_and_halves", "spread_sample"]

Reals = npt.NDArray[np.float64]
Longs = npt.NDArray[np.integer]

FIRST = 32  # queries that are ranked whatever the time
SHRINKING = (np.inf, 300.0, 100.0, 30.0)  # answers that the mean over all relations counts as


def spread_sample(queries: QuerySet, most: int, seed: int) -> QuerySet:
    """Return at most so many queries of each relation and side, in random order."""
    order = rng(seed, "queries to select on").permutation(len(queries))
    relation = queries.relation[order]
    by = np.argsort(relation, kind="stable")
    ranked = relation[by]
    place = np.empty(len(order), np.int64)
    place[by] = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    return queries.take(order[place < most])


def sides_and_halves(queries: QuerySet, asked: int) -> tuple[Longs, Longs]:
    """Return query relation and half, 0 or 1, of every answer of the first queries."""
    sizes = np.diff(queries.answer_ptr[: asked + 1])
    return np.repeat(queries.relation[:asked], sizes), np.repeat(np.arange(asked) % 2, sizes)


def reciprocal_ranks(
    scorer: RuleScorer,
    queries: QuerySet,
    plans: Callable[[int], Sequence[Plan]],
    progress: Progress,
    deadline: Deadline | None = None,
    *,
    unreached: float | Frequencies = 0.0,
) -> tuple[Reals, int]:
    """Rank the answers under every plan of their query relation.

    Parameters
    ----------
    plans
        Those of a query relation, as many for each; the same object twice is ranked once.
    deadline
        After it no further query is asked, beyond the first few.
    unreached
        The score of what no rule reaches, or how often it answers a relation.

    Returns
    -------
    reciprocal : (n_answers, n_plans)
        Of the queries asked.
    asked : int
        The first of ``queries``.
    """
    n = scorer.graph.n_entities
    total, last = np.zeros(n), np.zeros(n, np.int32)
    nodes, scores, rows = np.empty(n, np.int32), np.empty(n, np.float32), np.arange(n)
    stamp, position, tick = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(1, np.int64)
    found: list[Reals] = []
    frequencies = unreached if isinstance(unreached, Frequencies) else None
    rest = FLOOR if isinstance(unreached, Frequencies) else unreached
    for i in range(len(queries)):
        if i >= FIRST and ((deadline is not None and deadline.passed()) or stopped()):
            break
        relation = int(queries.relation[i])
        some = plans(relation)
        firings = scorer.fired(int(queries.head[i]), relation)
        known = of_one(queries.known[queries.known_ptr[i] : queries.known_ptr[i + 1]])
        answers = of_one(queries.answer[queries.answer_ptr[i] : queries.answer_ptr[i + 1]])
        beside, listed = None, nothing_listed(1)
        if frequencies is not None:
            beside = Beside(frequencies, queries.relation[i : i + 1], known, answers)
        greater, equal = np.zeros((2, len(answers[1])), np.int64)
        done: dict[int, Reals] = {}
        for plan in some:
            if id(plan) in done:
                continue
            size = combine(*firings, *plan, total, last, nodes, scores)
            if beside is not None:
                beside.reached(*of_one(nodes[:size]))
                listed = beside.listed()
            filtered_counts(
                *of_one(nodes[:size]), rows, scores, n, rest, listed, *known, *answers,
                stamp, position, tick, greater, equal,
            )  # fmt: skip
            done[id(plan)] = 1 / rank_of(greater, equal, "realistic")
        found.append(np.stack([done[id(plan)] for plan in some], axis=1))
        progress.advance(1)
    return np.concatenate(found), len(found)


def _best(reciprocal: Reals, group: Longs, n_groups: int, shrinking: float) -> Longs:
    mean = reciprocal.mean(axis=0)
    if np.isinf(shrinking):
        return np.full(n_groups, int(mean.argmax()))
    sums = np.zeros((n_groups, reciprocal.shape[1]))
    np.add.at(sums, group, reciprocal)
    best: Longs = (sums + shrinking * mean).argmax(axis=1)
    return best


def chosen_by_group(reciprocal: Reals, group: Longs, n_groups: int, half: Longs) -> Longs:
    """Choose the best column for each group of rows, shrunk towards the best of all.

    Parameters
    ----------
    reciprocal : (n_answers, n_choices)
    group : (n_answers,)
        Relation and side.
    n_groups : int
    half : (n_answers,)
        0 or 1: how far to shrink is what proves best in the one half, chosen on the other.

    Returns
    -------
    (n_groups,)
        Indices of columns.
    """
    gained = []
    for shrinking in SHRINKING:
        value = 0.0
        for part in (0, 1):
            own = half == part
            if own.any() and not own.all():
                choice = _best(reciprocal[own], group[own], n_groups, shrinking)
                value += reciprocal[~own, choice[group[~own]]].sum()
        gained.append(value)
    return _best(reciprocal, group, n_groups, SHRINKING[int(np.argmax(gained))])
