"""The training questions that a model and its book are asked alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.link.estimator import LinkEstimator
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask, QuerySet
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["Question", "asked_questions", "training_parts"]

Ints = npt.NDArray[np.int32]
FACTS = 150  # drawn of each relation
PARTS = 8
ALL = 256  # up to so many entities, all are candidates
TOP, OTHERS = 40, 20  # else: best of the model and of the rules, and others by chance
_BLOCK = 64


@dataclass(frozen=True)
class Question:
    """A query (entity, relation, ?), its candidates, and the model's probability of each."""

    entity: int
    relation: int
    candidates: Ints
    target: npt.NDArray[np.float64]


def training_parts(task: LinkTask, seed: int) -> list[QuerySet]:
    """Return queries about training facts, each on a graph that does not hold these facts.

    At most :data:`FACTS` facts of a relation are drawn; they are left out in :data:`PARTS` parts.
    Where the protocol has training queries of its own, which no walk uses, those are drawn from.
    """
    fixed, random = task.training_queries, rng(seed, "distil")
    facts = task.data.train if fixed is None else fixed
    shuffled = facts[random.permutation(len(facts))]
    order = np.argsort(shuffled[:, 1], kind="stable")
    relation = shuffled[order, 1]
    nth = np.arange(len(order)) - np.searchsorted(relation, relation)
    drawn = shuffled[order[nth < FACTS]]
    drawn = drawn[random.permutation(len(drawn))]
    if fixed is not None:
        return [task.query_set(drawn, task.train_graph, task.training_answers)]
    parts = [part for part in np.array_split(drawn, PARTS) if len(part)]
    return [task.query_set(part, _without(task, part), task.training_answers) for part in parts]


def _without(task: LinkTask, facts: npt.NDArray[np.int32]) -> KnowledgeGraph:
    """The training graph without some facts, however often each is stated."""
    data, whole = task.data, task.data.train.astype(np.int64)

    def key(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        h, r, t = rows.T
        keys: npt.NDArray[np.int64] = (h * data.n_relations + r) * data.n_entities + t
        return keys

    kept = ~np.isin(key(whole), key(facts.astype(np.int64)))
    return KnowledgeGraph(
        data.train[kept], data.n_entities, data.n_relations, data.entities, data.relations
    )


def asked_questions(
    model: LinkEstimator[Any],
    queries: QuerySet,
    scorer: RuleScorer,
    progress: Progress,
    seed: int,
    passed: Callable[[], bool] = bool,
) -> Iterator[Question]:
    """Ask the model; known answers other than those left out are no candidates.

    A query where the model does not tell one candidate from another is left out. No further block
    is asked once ``passed`` says so.
    """
    random = rng(seed, "candidates")
    for at in range(0, len(queries), _BLOCK):
        if at and passed():
            return
        part = queries.take(np.arange(at, min(at + _BLOCK, len(queries))))
        scores = model._score(part.head, part.relation, queries.graph)
        for i, row in enumerate(scores):
            allowed = np.ones(len(row), bool)
            allowed[part.known[part.known_ptr[i] : part.known_ptr[i + 1]]] = False
            allowed[part.answer[part.answer_ptr[i] : part.answer_ptr[i + 1]]] = True
            x, r = int(part.head[i]), int(part.relation[i])
            if np.isfinite(row).any() and row.max() > row.min():
                probability = model.probability(row)
                found = _candidates(probability, *scorer.reached(x, r), allowed, random)
                target = np.maximum(probability[found], 0.0)
                if len(found) > 1 and 0 < target.sum() < np.inf and np.ptp(target) > 0:
                    yield Question(x, r, found, target / target.sum())
            progress.advance(1)


def _candidates(
    probability: npt.NDArray[np.float64],
    reached: Ints,
    strength: npt.NDArray[np.float32],
    allowed: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> Ints:
    if len(allowed) <= ALL:
        return np.flatnonzero(allowed).astype(np.int32)
    wanted = np.zeros(len(allowed), bool)
    among = np.where(allowed, probability, -1.0)
    wanted[np.argpartition(-among, TOP)[:TOP]] = True
    open_ = allowed[reached]
    ranked = np.argsort(-strength[open_], kind="stable")[:TOP]
    wanted[reached[open_][ranked]] = True
    wanted[random.integers(len(allowed), size=OTHERS)] = True
    return np.flatnonzero(wanted & allowed).astype(np.int32)
