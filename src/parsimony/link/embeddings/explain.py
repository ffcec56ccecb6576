"""Why an embedding model answers so: the parts of its score, and the known facts it resembles.

A vector model has no path from head to answer. What it can be asked is which training facts its
answer is like: those with the same answer and a similar head, and those with the same head and a
similar answer. The similarity is the cosine of the two vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.explain import Analogue, Explanation

if TYPE_CHECKING:
    from parsimony.link.embeddings.estimator import EmbeddingEstimator

IntArray = npt.NDArray[np.int32]


def explain_by_vectors(
    estimator: EmbeddingEstimator, head: str, relation: str, tail: str, *, n_facts: int = 5
) -> Explanation:
    """Explain the score of (head, relation, ?) for tail.

    Parameters
    ----------
    n_facts
        Most known facts named.

    Raises
    ------
    UnknownEntity, UnknownRelation
        With the nearest known name.
    InvalidParameter
        ``n_facts`` below 1.
    """
    if n_facts < 1:
        raise InvalidParameter(f"n_facts must be at least 1. Got {n_facts}")
    task, data = estimator.task_, estimator.task_.data
    h, r, t = data.entities.index(head), data.relations.index(relation), data.entities.index(tail)
    row = estimator.score(np.array([[h, r]]))[0]
    _, known = task.filters(True)(np.array([h], np.int32), np.array([r], np.int32))
    rivals = np.ones(len(row), bool)
    rivals[known] = False
    rivals[t] = False
    rank = 1 + (row[rivals] > row[t]).sum() + (row[rivals] == row[t]).sum() / 2
    likenesses = nearest_facts(estimator, h, r, t)[:n_facts]
    names = {head, tail}
    return Explanation(
        query=(head, relation, tail),
        score=float(row[t]),
        probability=float(estimator.probability(row)[t]),
        rank=float(rank),
        labels={name: data.label(name) for name in sorted(names) if data.label(name) != name},
        model=estimator.method,
        known=task.split_of(h, r, t) or "no",
        parts=estimator.parts(h, r, t),
        parts_note=estimator.PARTS_NOTE,
        analogues=tuple(
            Analogue(
                f"{data.label(data.entities.name(a))} —{relation}→ "
                f"{data.label(data.entities.name(b))}",
                similarity,
            )
            for similarity, a, b in likenesses
        ),
    )


def nearest_facts(
    estimator: EmbeddingEstimator, h: int, r: int, t: int
) -> list[tuple[float, int, int]]:
    """Training facts of the relation with the same answer or the same head, most alike first.

    Returns
    -------
    list of (similarity, head, tail)
        Without (h, r, t) itself; only similarities above 0.
    """
    facts = estimator.task_.data.train
    facts = facts[facts[:, 1] == r]
    found: dict[tuple[int, int], float] = {}
    for same, other, given in ((2, 0, h), (0, 2, t)):
        wanted = t if same == 2 else h
        others = np.unique(facts[facts[:, same] == wanted, other])
        others = others[others != given]
        for e, similarity in zip(others.tolist(), _cosine(estimator, given, others), strict=True):
            if similarity > 0:
                found[(e, t) if same == 2 else (h, e)] = float(similarity)
    return sorted(((s, a, b) for (a, b), s in found.items()), key=lambda row: -row[0])


def _cosine(estimator: EmbeddingEstimator, given: int, others: IntArray) -> npt.NDArray[np.float64]:
    vectors = estimator.entity_[others].astype(np.float64)
    vector = estimator.entity_[given].astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
    cosine: npt.NDArray[np.float64] = np.minimum(vectors @ vector / np.maximum(norms, 1e-12), 1.0)
    return cosine
