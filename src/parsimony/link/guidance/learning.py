"""What a book is worth to a model, learned on validation: its rules' weights, and its mask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.link.blocks import blocks
from parsimony.link.guidance.applied import AppliedBook
from parsimony.link.guidance.prior import SHRINKAGE, WEIGHTS, Prior, shrunk_choice
from parsimony.link.rules.scoring import Aggregation
from parsimony.link.task import LinkTask, QuerySet
from parsimony.link.weighing import counted, cross_fitted, halves
from parsimony.run.deadline import Deadline
from parsimony.run.seeds import rng

__all__ = ["AGGREGATIONS", "learned_prior", "mask_note", "shuffled_queries"]

AGGREGATIONS: tuple[Aggregation, ...] = ("noisy-or", "max")
#: queries that weights are learned on at most
MOST_QUERIES = 4000
IntArray = npt.NDArray[np.int32]
Scores = Callable[[IntArray, IntArray, KnowledgeGraph], npt.NDArray[np.float32]]


def shuffled_queries(task: LinkTask, seed: int, *, of: Collection[int] | None = None) -> QuerySet:
    """Validation queries in random order, so that any first part is a sample of them.

    Parameters
    ----------
    of
        Relations, either way; by default all.

    Raises
    ------
    EmptySplit
        There are none.
    """
    queries = task.queries("valid")
    if of is not None:
        queries = queries.take(np.flatnonzero(np.isin(queries.relation % task.n_relations, [*of])))
    queries = queries.sample(MOST_QUERIES, seed)
    return queries.take(rng(seed, "validation").permutation(len(queries)))


def mask_note(
    scores: Scores, applied: AppliedBook, queries: QuerySet, deadline: Deadline
) -> str | None:
    """Why the mask is to be left out: right answers fall behind it; None where they do not."""
    totals, n = np.zeros(2), 0
    for rows in blocks(len(queries), queries.graph.n_entities):
        if n and deadline.passed():
            break
        at = rows.start
        asked = queries.head[rows], queries.relation[rows]
        found = scores(*asked, queries.graph)
        for i, possible in enumerate((None, applied.possible(*asked, queries.graph))):
            greater, equal = counted(found, queries, at, possible)
            totals[i] += (1 / (1 + greater + equal / 2)).sum()
        n += int(queries.answer_ptr[rows.stop] - queries.answer_ptr[at])
    without, masked = (totals / max(n, 1)).tolist()
    if masked >= without:
        return None
    return (
        f"the mask is left out: validation MRR {without:.4f} without, {masked:.4f} with "
        "it; the book calls right answers impossible (--set knowledge_as=mask applies it)"
    )


def learned_prior(
    scores: Scores, applied: AppliedBook, queries: QuerySet, deadline: Deadline, *, seed: int
) -> tuple[Prior, str]:
    """Choose aggregation, shrinkage and weights on validation; also a note on what they bring.

    Half of the queries is ranked with what the other half chooses; what is best so is then
    chosen by all. Where nothing gains, all weights are 0.
    """
    n = 2 * applied.task.n_relations
    spread = _spread(scores, queries, seed)
    priors = [
        Prior(applied.prior_rules, aggregation, np.zeros(n), spread) for aggregation in AGGREGATIONS
    ]
    tables, done = _ranked_by_weight(scores, applied, queries, priors, deadline)
    some = f" of {len(queries):,} queries, until the time was over" if done < len(queries) else ""
    queries = queries.take(np.arange(done))
    group, half = queries.answer_relation, halves(queries)

    def chosen(k: float | None) -> Callable[[Any, Any], Any]:
        def choose(table: Any, seen: Any) -> Any:
            return shrunk_choice(table[:, seen], group[seen], n, k)[group]

        return choose

    best = before = float(tables[0][0].mean())
    learned = priors[0]
    for prior, table in zip(priors, tables, strict=True):
        for k in SHRINKAGE:
            found = float(cross_fitted(table, half, chosen(k)).mean())
            if found > best + 1e-9:
                best, learned = found, prior
                rows = shrunk_choice(table, group, n, k)
                prior.weight = np.array(WEIGHTS)[rows]
    gain = f"validation MRR {before:.4f} without, {best:.4f} with (each half by the other)"
    of = "of relations that rules conclude"
    return learned, f"prior: weights learned on {done:,}{some or ' queries'} ({of}): {gain}"


def _spread(scores: Scores, queries: QuerySet, seed: int) -> float:
    """The median of the scores' standard deviation within a query, of some of them."""
    some = queries.sample(200, seed)
    found = [
        float(row[np.isfinite(row)].std())
        for rows in blocks(len(some), queries.graph.n_entities)
        for row in scores(some.head[rows], some.relation[rows], queries.graph)
        if np.isfinite(row).any()
    ]
    middle = float(np.median(found)) if found else 1.0
    return middle if middle > 0 else 1.0


def _ranked_by_weight(
    scores: Scores,
    applied: AppliedBook,
    queries: QuerySet,
    priors: Sequence[Prior],
    deadline: Deadline,
) -> tuple[list[npt.NDArray[np.float64]], int]:
    """1/rank of every answer with each weight for all relations, (n_weights, n_answers).

    Ends with the block in which the deadline passes: also how many queries were ranked.
    """
    found = [np.empty((len(WEIGHTS), len(queries.answer))) for _ in priors]
    done = 0
    for rows in blocks(len(queries), queries.graph.n_entities):
        if done and deadline.passed():
            break
        at, done = rows.start, rows.stop
        asked = queries.head[rows], queries.relation[rows]
        own = scores(*asked, queries.graph)
        possible = applied.possible(*asked, queries.graph)
        answers = slice(queries.answer_ptr[at], queries.answer_ptr[rows.stop])
        for prior, table in zip(priors, found, strict=True):
            feature = prior.feature(*asked, applied.whole(queries.graph))
            for k, weight in enumerate(WEIGHTS):
                mixed = prior.added(own, feature, np.full(len(own), weight))
                greater, equal = counted(mixed, queries, at, possible)
                table[k, answers] = 1 / (1 + greater + equal / 2)
    n_answers = int(queries.answer_ptr[done])
    return [table[:, :n_answers] for table in found], done
