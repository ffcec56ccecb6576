"""Percentile bootstrap over queries."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def bootstrap_interval(
    values: npt.NDArray[np.floating[Any]],
    seed: int = 0,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval of the mean of ``values`` (n,) from ``resamples`` seeded draws with replacement.

    Memory stays bounded: one resample of indices at a time.
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return 0.0, 0.0
    generator = np.random.default_rng(seed)
    means = np.array(
        [values[generator.integers(0, len(values), len(values))].mean() for _ in range(resamples)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
