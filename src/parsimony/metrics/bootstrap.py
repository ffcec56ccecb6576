"""Percentile bootstrap over queries.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter

_BLOCK = 1 << 21  # numbers drawn at a time: 16 MiB


def bootstrap_interval(
    values: npt.NDArray[np.floating[Any]],
    seed: int = 0,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of the mean of ``values`` (n,), by seeded resampling.

    Parameters
    ----------
    values
        One number per query, such as 1/rank; their order does not matter.
    seed
        Seed of the resampling.
    resamples
        Number of resampled means.
    level
        Fraction of them that the interval covers.

    Returns
    -------
    (low, high)
        (0.0, 0.0) for no values, whose metrics are 0.

    Raises
    ------
    InvalidParameter
        ``resamples`` below 1 or ``level`` outside (0, 1).
    """
    if resamples < 1 or not 0 < level < 1:
        raise InvalidParameter(
            f"resamples must be at least 1 and level in (0, 1). Got {resamples}, {level}"
        )
    if not len(values):
        return 0.0, 0.0
    means = _means(np.asarray(values, np.float64), np.random.default_rng(seed), resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _means(
    values: npt.NDArray[np.float64], generator: np.random.Generator, resamples: int
) -> npt.NDArray[np.float64]:
    """Return the means of the resamples, (resamples,), in blocks of bounded memory.

    The counts of each distinct value in a resample are multinomial. As ranks repeat, drawing those
    counts is far cheaper than drawing n queries; for values that do not repeat it is slower.
    """
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    few = len(distinct) <= n // 8
    rows = max(1, _BLOCK // (len(distinct) if few else n))
    means = np.empty(resamples)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        if few:
            drawn = generator.multinomial(n, counts / n, size)
            means[start : start + size] = drawn @ distinct / n
        else:
            # Sorted values, so that the order given makes no difference here either.
            drawn = generator.integers(0, n, (size, n))
            means[start : start + size] = np.repeat(distinct, counts)[drawn].mean(1)
    return means


def resampled_means(
    values: npt.NDArray[np.floating[Any]], seed: int = 0, *, draws: int = 500
) -> npt.NDArray[np.float64]:
    """Return the mean of ``values`` (n,), then its means over resamples, (1 + draws,).

    Which units a resample holds follows from ``seed`` and n alone: what two models get on the same
    units is paired, and their difference is that of the two results.
    """
    values = np.asarray(values, np.float64)
    n, generator = len(values), np.random.default_rng(seed)
    means = np.empty(1 + draws)
    means[0] = values.mean()
    for i in range(1, 1 + draws):
        means[i] = values[generator.integers(n, size=n)].mean()
    return means


def intervals(names: Sequence[str], drawn: npt.NDArray[np.floating[Any]]) -> dict[str, list[float]]:
    """Return the 95 % interval of every metric from its draws (draws, n_metrics)."""
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {name: [float(a), float(b)] for name, a, b in zip(names, low, high, strict=True)}


def differences(
    names: Sequence[str],
    whole: npt.NDArray[np.floating[Any]],
    drawn: npt.NDArray[np.floating[Any]],
) -> dict[str, dict[str, float]]:
    """Return a paired comparison from the measured differences (n_metrics,) and their draws.

    Returns
    -------
    dict
        For each metric the ``difference``, its 95 % interval ``low`` … ``high``, and ``worse``,
        the fraction of draws in which it is not positive.
    """
    worse = (drawn <= 0).mean(0)
    return {
        name: {"difference": float(d), "low": low, "high": high, "worse": float(w)}
        for (name, (low, high)), d, w in zip(
            intervals(names, drawn).items(), whole, worse, strict=True
        )
    }


def cluster_interval(
    values: npt.NDArray[Any],
    cluster: npt.NDArray[np.integer[Any]],
    seed: int = 0,
    *,
    resamples: int = 500,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the interval of the mean of ``values`` (n,), resampling whole clusters.

    Parameters
    ----------
    values
        One number or truth value per pair.
    cluster
        (n,) the cluster of each pair, such as its emerging drug.
    seed, resamples, level
        As in :func:`bootstrap_interval`.
    """
    _, number = np.unique(cluster, return_inverse=True)
    n = np.bincount(number)
    total = np.bincount(number, np.asarray(values, np.float64))
    drawn = np.random.default_rng(seed).multinomial(
        len(n), np.full(len(n), 1 / len(n)), size=resamples
    )
    low, high = np.quantile(drawn @ total / (drawn @ n), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
