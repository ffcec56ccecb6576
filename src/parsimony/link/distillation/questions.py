"""What a model answers to the training questions that its book is asked, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.link.blocks import blocks
from parsimony.link.estimator import LinkEstimator
from parsimony.link.rules.evidence import Question
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import QuerySet
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["asked_questions"]

Ints = npt.NDArray[np.int32]
ALL = 256  # up to so many entities, all are candidates
TOP, OTHERS = 40, 20  # else: best of the model and of the rules, and others by chance


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
    for rows in blocks(len(queries), queries.graph.n_entities):
        if rows.start and passed():
            return
        part = queries.take(np.arange(rows.start, rows.stop))
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
