"""A small predictor of validation figures from features: an ensemble over bags.

AutoBLM trains 5 networks of 2 hidden units, each on 4/5 of the measured structures. Ridge
regression is the same idea without a learning rate. Targets are standardised; what is predicted
serves only to rank candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Predictor", "rank_correlation"]

Array = npt.NDArray[np.float64]

_MEMBERS = 5
_BAG = 0.8
_RIDGE = 1.0  # on standardised features: as much as one measured structure says
_HIDDEN = 2
_STEPS, _RATE, _DECAY = 400, 0.05, 1e-3


class Predictor:
    """Ranks structures by what was learned from the measured ones.

    Parameters
    ----------
    kind
        ``ridge``, or ``mlp`` with one layer of 2 hidden units.
    seed
        Of the bags and of the networks' initial weights.
    """

    def __init__(self, kind: Literal["ridge", "mlp"] = "ridge", *, seed: int = 0) -> None:
        self.kind, self.seed = kind, seed

    def fit(self, features: Array, scores: Array) -> Predictor:
        """Learn from features (n, f) and scores (n,)."""
        random = np.random.default_rng(self.seed)
        self._mean = features.mean(axis=0)
        spread = features.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        x = self._standard(features)
        spread = float(scores.std())
        y = (scores - scores.mean()) / (spread if spread > 0 else 1.0)
        size = max(1, round(_BAG * len(x)))
        bags = [random.permutation(len(x))[:size] for _ in range(_MEMBERS)]
        learn = {"ridge": _ridge, "mlp": _mlp}[self.kind]
        self._members = [learn(x[bag], y[bag], random) for bag in bags]
        return self

    def predict(self, features: Array) -> Array:
        """Return the ensemble's mean, in standard deviations of the measured scores, (n,)."""
        x = self._standard(features)
        mean: Array = np.mean([member(x) for member in self._members], axis=0)
        return mean

    def _standard(self, features: Array) -> Array:
        standard: Array = (features - self._mean) / self._scale
        return standard


_Member = Callable[[Array], Array]


def _ridge(x: Array, y: Array, random: np.random.Generator) -> _Member:
    mean = float(y.mean())
    gram = x @ x.T + _RIDGE * x.shape[1] * np.eye(len(x))  # dual: fewer structures than features
    weights: Array = x.T @ np.linalg.solve(gram, y - mean)
    return lambda new: new @ weights + mean


def _mlp(x: Array, y: Array, random: np.random.Generator) -> _Member:
    """f–2–1 with ReLU; absolute error, Adam on all rows at once."""
    w1 = random.normal(0, 1 / np.sqrt(x.shape[1]), (x.shape[1], _HIDDEN))
    b1, w2, b2 = np.full(_HIDDEN, 0.5), random.normal(0, 1, _HIDDEN), np.zeros(1)
    weights = [w1, b1, w2, b2]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(1, _STEPS + 1):
        hidden = np.maximum(x @ w1 + b1, 0)
        error = np.sign(hidden @ w2 + b2 - y) / len(x)
        back = np.outer(error, w2) * (hidden > 0)
        gradients = [x.T @ back, back.sum(0), hidden.T @ error, error.sum(keepdims=True)]
        for w, g, m, v in zip(weights, gradients, first, second, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            rate = _RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            w -= rate * m / (np.sqrt(v) + 1e-8) + _RATE * _DECAY * w
    return lambda new: np.maximum(new @ w1 + b1, 0) @ w2 + b2


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> float | None:
    """Spearman's ρ; None for fewer than three pairs or a constant side."""
    from scipy.stats import spearmanr

    a, b = np.asarray(first, float), np.asarray(second, float)
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)
