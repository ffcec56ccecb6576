"""What a vector model's answer resembles: the nearest known facts.

A vector model has no path from head to answer. What it can be asked is which training facts its
answer is like: those with the same answer and a similar head, and those with the same head and a
similar answer. The similarity is the cosine of the two vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.run.table_shards import RowParts

IntArray = npt.NDArray[np.integer[Any]]


def nearest_facts(
    facts: IntArray, vectors: npt.NDArray[np.float32] | RowParts, h: int, r: int, t: int
) -> list[tuple[float, int, int]]:
    """Facts of the relation with the same answer or the same head, most similar first.

    Parameters
    ----------
    facts
        Of training, (n, 3).
    vectors
        Of all entities, (n_entities, d).

    Returns
    -------
    list of (similarity, head, tail)
        Without (h, r, t) itself; only similarities above 0.
    """
    facts = facts[facts[:, 1] == r]
    found: dict[tuple[int, int], float] = {}
    for same, other, given in ((2, 0, h), (0, 2, t)):
        wanted = t if same == 2 else h
        others = np.unique(facts[facts[:, same] == wanted, other])
        others = others[others != given]
        for e, similarity in zip(others.tolist(), _cosine(vectors, given, others), strict=True):
            if similarity > 0:
                found[(e, t) if same == 2 else (h, e)] = float(similarity)
    return sorted(((s, a, b) for (a, b), s in found.items()), key=lambda row: -row[0])


def _cosine(
    vectors: npt.NDArray[np.float32] | RowParts, given: int, others: IntArray
) -> npt.NDArray[np.float64]:
    rows, row = vectors[others].astype(np.float64), vectors[given].astype(np.float64)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(row)
    cosine: npt.NDArray[np.float64] = np.minimum(rows @ row / np.maximum(norms, 1e-12), 1.0)
    return cosine
