"""Metrics of one user's predicted ratings: squared and absolute error, nDCG.

Tied items get the mean gain of their group, so that nDCG is its expectation over all orders of
ties (F. McSherry, M. Najork, ECIR 2008).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["RATING_MEASURES", "measure_user", "ndcg"]

FloatArray = npt.NDArray[np.floating[Any]]
RATING_MEASURES = ("mse", "mae", "ndcg@3", "ndcg@5")


def ndcg(truth: FloatArray, predicted: FloatArray, k: int) -> float:
    """Return nDCG@k of ratings (n,): gain 2^rating − 1, discount log2; 1 if no gain is possible."""
    gain = np.exp2(np.asarray(truth, np.float64)) - 1
    discount = 1 / np.log2(np.arange(2, min(k, len(gain)) + 2))
    ideal = np.sort(gain)[::-1][:k] @ discount
    if ideal <= 0:
        return 1.0
    _, group = np.unique(-np.asarray(predicted, np.float64), return_inverse=True)
    mean = np.bincount(group, gain) / np.bincount(group)
    return float(mean[np.sort(group)][:k] @ discount / ideal)


def measure_user(truth: FloatArray, predicted: FloatArray) -> tuple[float, float, float, float]:
    """Return the ``RATING_MEASURES`` of one user."""
    error = np.asarray(predicted, np.float64) - truth
    return (
        float((error**2).mean()), float(np.abs(error).mean()),
        ndcg(truth, predicted, 3), ndcg(truth, predicted, 5),
    )  # fmt: skip
