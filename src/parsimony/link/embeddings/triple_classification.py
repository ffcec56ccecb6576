"""Triple classification: is a fact true? One threshold per relation, chosen on validation.

Every fact is paired with a negative one: its head or its tail, with equal probability, is replaced
by an entity that makes no known fact (Socher et al., NIPS 2013, section 5.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.graph.distinct import first_occurrences
from parsimony.link.data import LinkData
from parsimony.link.embeddings.ranking import Ranker
from parsimony.metrics.guard import require_scores
from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.int32]


def fact_scores(ranker: Ranker, triples: IntArray) -> npt.NDArray[np.float32]:
    """Scores (n,) of facts (n, 3); with reciprocal relations the mean of both directions."""
    h, r, t = triples.T

    def score(given: IntArray, relation: IntArray, answer: IntArray) -> torch.Tensor:
        return ranker.scoring.pairwise(ranker.queries(given, relation), ranker.rows(answer))

    scores = score(h, r, t)
    if ranker.reciprocal:
        scores = (scores + score(t, r + ranker.n_relations, h)) / 2
    found = np.asarray(scores.numpy())
    require_scores(found)
    return found


def negative_facts(
    triples: IntArray, known: IntArray, n_entities: int, generator: np.random.Generator
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Replace one end of every fact so that no known fact results; tried 100 times at most.

    Returns
    -------
    negative : int32 array, shape (n, 3)
    found : bool array, shape (n,)
        False where every try made a known fact.
    """

    def key(rows: IntArray) -> npt.NDArray[np.int64]:
        h, r, t = rows.astype(np.int64).T
        keys: npt.NDArray[np.int64] = (h * (int(known[:, 1].max()) + 1) + r) * n_entities + t
        return keys

    true = np.unique(key(known))
    negative = triples.copy()
    open_ = np.arange(len(triples))
    for _ in range(100):
        end = generator.integers(0, 2, len(open_)) * 2
        negative[open_] = triples[open_]
        negative[open_, end] = generator.integers(0, n_entities, len(open_))
        open_ = open_[np.isin(key(negative[open_]), true)]
        if not len(open_):
            break
    found = np.ones(len(triples), bool)
    found[open_] = False
    return negative, found


def best_threshold(true: npt.NDArray[Any], false: npt.NDArray[Any]) -> float:
    """The score at and above which facts are called true with the fewest errors."""
    scores = np.concatenate([true, false])
    if not len(scores):
        return np.inf
    order = np.argsort(-scores, kind="stable")
    gain = np.concatenate([np.ones(len(true)), -np.ones(len(false))])[order]
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # no cut between equal scores
    right = np.cumsum(gain)[ends]
    best = int(np.argmax(right))
    return float(scores[order][ends[best]]) if right[best] > 0 else np.inf


def classify_triples(data: LinkData, ranker: Ranker, *, seed: int = 0) -> dict[str, Any]:
    """Accuracy on test facts and as many negative ones.

    Relations without validation facts take the threshold of all validation facts together.

    Returns
    -------
    dict
        ``accuracy, n``: the fraction classified correctly, and of how many; the accuracy is None
        where no test fact has a negative one. ``left_out``: facts of validation and test without
        one, because nearly everything that could be stated is a fact.
    """
    known = np.concatenate([data.train, data.valid, data.test])
    generator = rng(seed, "corruption")
    scored, left_out = {}, 0
    for split in ("valid", "test"):
        facts = data.triples(split)
        facts = facts[np.sort(first_occurrences(facts, data.n_entities, data.n_relations))]
        false, found = negative_facts(facts, known, data.n_entities, generator)
        facts, false = facts[found], false[found]
        left_out += int((~found).sum())
        scored[split] = facts[:, 1], fact_scores(ranker, facts), fact_scores(ranker, false)
    relation, true, false_ = scored["valid"]
    threshold = np.full(data.n_relations, best_threshold(true, false_))
    for r in np.unique(relation):
        threshold[r] = best_threshold(true[relation == r], false_[relation == r])
    relation, true, false_ = scored["test"]
    right = (true >= threshold[relation]).sum() + (false_ < threshold[relation]).sum()
    n = 2 * len(true)
    return {"accuracy": float(right) / n if n else None, "n": n, "left_out": left_out}
