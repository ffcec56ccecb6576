"""Metrics of one user's predicted ratings: squared and absolute error, nDCG.

Ratings are in [0, 1], the place between the ends of their scale, so that nDCG is the same whatever
unit a table is written in. Tied items get the mean gain of their group: nDCG is its expectation
over all orders of ties (F. McSherry, M. Najork, ECIR 2008). Equations are in
``docs/methods/rating_baselines.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["RATING_MEASURES", "gains", "measure_user", "ndcg"]

FloatArray = npt.NDArray[np.floating[Any]]
RATING_MEASURES = ("mse", "mae", "ndcg@3", "ndcg@5")


def gains(ratings: FloatArray, *, binary: bool = False) -> npt.NDArray[np.float64]:
    """Return the gain of ratings (n,) in [0, 1]: that of as many of five stars, in [1/31, 1].

    (2^(1 + 4 s) − 1) / 31 (eq. 5): on a scale from 1 to 5 this is 2^rating − 1, up to its unit.
    Ratings that say only yes or no (``binary``) are their own gain.
    """
    place = np.asarray(ratings, np.float64)
    return place if binary else (np.exp2(1 + 4 * place) - 1) / 31


def ndcg(gain: FloatArray, predicted: FloatArray, k: int) -> float:
    """Return nDCG@k of items with gains (n,), discount log2; NaN where no gain is possible."""
    gain = np.asarray(gain, np.float64)
    discount = 1 / np.log2(np.arange(2, min(k, len(gain)) + 2))
    ideal = np.sort(gain)[::-1][:k] @ discount
    if ideal <= 0:
        return float("nan")
    _, group = np.unique(-np.asarray(predicted, np.float64), return_inverse=True)
    mean = np.bincount(group, gain) / np.bincount(group)
    return min(float(mean[np.sort(group)][:k] @ discount / ideal), 1.0)


def measure_user(
    truth: FloatArray, predicted: FloatArray, *, width: float = 1.0, binary: bool = False
) -> tuple[float, float, float, float]:
    """Return the ``RATING_MEASURES`` of one user's ratings and predictions in [0, 1].

    Parameters
    ----------
    width
        Of the scale: errors are in units of the ratings.
    binary
        Whether all ratings of the table are ends of the scale.

    Returns
    -------
    tuple of float
        nDCG is NaN for a user without gain: who said yes to none of the items.
    """
    error = width * (np.asarray(predicted, np.float64) - truth)
    gain = gains(truth, binary=binary)
    return (
        float((error**2).mean()), float(np.abs(error).mean()),
        ndcg(gain, predicted, 3), ndcg(gain, predicted, 5),
    )  # fmt: skip
