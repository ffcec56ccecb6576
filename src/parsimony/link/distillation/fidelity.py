"""How faithful a book is to a model, on held-out questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.knowledge.rule_walks import build_walk_index
from parsimony.knowledge.rules import Rule
from parsimony.link.blocks import blocks
from parsimony.link.estimator import LinkEstimator
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["Fidelity", "HeldOut"]

Row = npt.NDArray[np.float32]
UNION = 10  # best answers of each, whose order is compared
_CELLS = 50_000_000  # scores of the model that are kept
_LEVEL = 1e-5  # scores so close are level: a sum depends on its order


@dataclass(frozen=True)
class Fidelity:
    """A book against the model it was distilled from.

    Attributes
    ----------
    top1
        Expected share of questions on which the book's best answer is the model's; of several
        that are level one is taken by chance.
    correlation
        Spearman's rank correlation over the best ten of both together, mean over the questions.
    explained
        Share of questions on which some rule leads to the model's best answer.
    mrr
        Filtered, of the book.
    """

    rules: int
    top1: float
    correlation: float
    explained: float
    mrr: float


class HeldOut:
    """The model's scores on held-out questions, against which books are measured.

    A question is a held-out fact from one of its sides; other known answers are no candidates, as
    in the ranking of ``evaluate``.

    Parameters
    ----------
    model
        Fitted.
    queries
        Of validation.
    most, deadline
        Queries at most, and until when the model is asked.
    """

    def __init__(
        self,
        model: LinkEstimator[Any],
        queries: QuerySet,
        *,
        most: int,
        seed: int,
        quiet: bool,
        deadline: Deadline,
    ) -> None:
        most = max(1, min(most, _CELLS // queries.graph.n_entities))
        self.whole = len(queries)
        queries = queries.sample(most, seed)
        if deadline.limited:  # so that any first part is a sample
            queries = queries.take(rng(seed, "held out").permutation(len(queries)))
        self.index = build_walk_index(queries.graph)
        self.n_relations = model.task_.n_relations
        self.scores: list[Row] = []
        with Progress(len(queries), "asking the model", quiet=quiet) as progress:
            for rows in blocks(len(queries), queries.graph.n_entities):
                if rows.start and deadline.passed():
                    break
                asked = queries.head[rows], queries.relation[rows]
                found = model._score(*asked, queries.graph)
                self.scores += list(found)
                progress.advance(len(found))
        self.queries = queries.take(np.arange(len(self.scores)))
        self.ranks = self._ranks(self.scores)

    def _ranks(self, scores: Sequence[Row]) -> Ranks:
        q = self.queries
        greater, equal = np.empty(len(q.answer), np.int64), np.empty(len(q.answer), np.int64)
        for i, row in enumerate(scores):
            answers = slice(q.answer_ptr[i], q.answer_ptr[i + 1])
            rivals = np.ones(len(row), bool)
            rivals[q.known[q.known_ptr[i] : q.known_ptr[i + 1]]] = False
            own = row[q.answer[answers]][:, None]
            greater[answers] = (row[rivals] > own).sum(1)
            equal[answers] = (row[rivals] == own).sum(1)
        relation = q.answer_relation
        return Ranks(greater, equal, relation % self.n_relations, relation // self.n_relations)

    def measure(self, rules: Sequence[Rule]) -> Fidelity:
        """Measure a book, whose confidences are combined by noisy-or."""
        q = self.queries
        scorer = RuleScorer(rules, q.graph, aggregation="noisy-or", index=self.index)
        books = [
            scorer.score(x, r)[0] for x, r in zip(q.head.tolist(), q.relation.tolist(), strict=True)
        ]
        compared = []
        for i, (model, book) in enumerate(zip(self.scores, books, strict=True)):
            open_ = np.ones(len(model), bool)
            open_[q.known[q.known_ptr[i] : q.known_ptr[i + 1]]] = False
            for answer in q.answer[q.answer_ptr[i] : q.answer_ptr[i + 1]]:
                open_[answer] = True
                compared.append(_compare(model[open_], book[open_]))
                open_[answer] = False
        top1, correlation, explained = np.mean(compared, axis=0).tolist()
        mrr = self._ranks(books).metrics()["mrr"]
        return Fidelity(len(rules), top1, correlation, explained, mrr)


def _compare(model: Row, book: Row) -> tuple[float, float, bool]:
    best, own = _level_with_best(model), _level_with_best(book)
    agreed = float((best & own).sum() / own.sum())
    return agreed, _correlation(model, book), bool((book[best] > 0).any())


def _level_with_best(row: Row) -> npt.NDArray[np.bool_]:
    top = row.max()
    if not np.isfinite(top):
        return np.ones(len(row), bool)
    found: npt.NDArray[np.bool_] = row >= top - _LEVEL * max(1.0, abs(float(top)))
    return found


def _correlation(model: Row, book: Row) -> float:
    """Spearman's rank correlation over the best answers of both; 1 where there is but one."""
    from scipy.stats import rankdata

    best = min(UNION, len(model))
    union = np.union1d(
        np.argpartition(-model, best - 1)[:best],
        np.setdiff1d(np.argpartition(-book, best - 1)[:best], np.flatnonzero(book <= 0)),
    )
    one, other = (rankdata(np.round(row[union].astype(np.float64), 4)) for row in (model, book))
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float(np.ptp(one) == np.ptp(other))
    return float(np.corrcoef(one, other)[0, 1])
