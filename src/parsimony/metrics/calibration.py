"""Calibration of probabilities: its metrics, and temperature scaling.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, On Calibration of Modern Neural Networks, ICML 2017
(temperature, eq. 9; expected calibration error, eq. 3, here with bins of equal mass, since bins
of equal width would leave most answers in a few of them). G. Brier, Monthly Weather Review 78,
1950.

Probabilities are (n, n_labels), rows sum to 1; true labels are (n,).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter

__all__ = [
    "Bin",
    "brier_score",
    "calibration_metrics",
    "expected_calibration_error",
    "fit_temperature",
    "negative_log_likelihood",
    "reliability",
    "temper",
]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
FLOOR = 1e-30  # lower bound of a probability before taking its logarithm
COOLEST, HOTTEST = 0.02, 50.0
BINS = 15


def temper(probabilities: FloatArray, temperature: float) -> npt.NDArray[np.float64]:
    """Return softmax(log p / T): flatter for T > 1, sharper for T < 1; the order is unchanged.

    Raises
    ------
    InvalidParameter
        T is not positive.
    """
    if not temperature > 0:
        raise InvalidParameter(f"the temperature must be above 0. Got {temperature}")
    scaled: npt.NDArray[np.float64] = _log(probabilities) / temperature
    scaled -= scaled.max(-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(-1, keepdims=True)
    return scaled


def fit_temperature(probabilities: FloatArray, true: IntArray) -> float:
    """Return the temperature in [0.02, 50] that minimises the negative log-likelihood.

    The targets are smoothed by 1 / (n + 2) over all labels (J. Platt, Probabilistic Outputs for
    Support Vector Machines, 1999): n correct pairs do not prove that errors are impossible, and
    without smoothing T would fall to its bound. The likelihood is concave in 1 / T, so the maximum
    is unique.

    Raises
    ------
    InvalidParameter
        No pairs.
    """
    from scipy.optimize import minimize_scalar

    if not len(true):
        raise InvalidParameter("a temperature needs labelled probabilities. Got none")
    logs = _log(probabilities)
    logs -= logs.max(1, keepdims=True)
    spread = 1 / (len(true) + 2)
    own = (1 - spread) * logs[np.arange(len(true)), true].mean() + spread * logs.mean()

    def loss(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        return float(np.log(np.exp(logs * inverse).sum(1)).mean() - inverse * own)

    bounds = (-np.log(HOTTEST), -np.log(COOLEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(-found.x))


def negative_log_likelihood(probabilities: FloatArray, true: IntArray) -> float:
    """Return the mean −log p of the true label, in nats."""
    return float(-_log(probabilities[np.arange(len(true)), true]).mean())


def brier_score(probabilities: FloatArray, true: IntArray) -> float:
    """Return the mean of Σ_r (p_r − 1[r = true])², in [0, 2]."""
    of_true = probabilities[np.arange(len(true)), true].astype(np.float64)
    squares = np.square(probabilities, dtype=np.float64).sum(1)
    return float((squares - 2 * of_true + 1).mean())


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin of answers with similar probability.

    Parameters
    ----------
    probability
        Mean probability.
    accuracy
        Fraction of correct answers.
    n
        Number of answers.
    """

    probability: float
    accuracy: float
    n: int


def reliability(top: FloatArray, right: npt.NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Group answers by probability into bins of equal mass.

    Parameters
    ----------
    top, right
        (n,) probability of the answer, and whether it is correct.
    bins
        Maximum number of bins; never more than answers.
    """
    order = np.argsort(top, kind="stable")
    parts = np.array_split(order, min(bins, len(order))) if len(order) else []
    return tuple(Bin(float(top[i].mean()), float(right[i].mean()), len(i)) for i in parts)


def expected_calibration_error(
    top: FloatArray, right: npt.NDArray[np.bool_], bins: int = BINS
) -> float:
    """Return the mean |probability − accuracy| over bins of equal mass, in [0, 1]."""
    found = reliability(top, right, bins)
    return sum(b.n * abs(b.probability - b.accuracy) for b in found) / max(len(top), 1)


def calibration_metrics(
    probabilities: FloatArray, true: IntArray, temperature: float
) -> dict[str, Any]:
    """Evaluate probabilities before and after temperature scaling.

    Returns
    -------
    dict
        ``temperature``; ``ece, nll, brier`` after it and ``ece_uncalibrated, …`` before it;
        ``reliability`` and ``reliability_uncalibrated``, lists of :class:`Bin` as dicts.
    """
    measured: dict[str, Any] = {"temperature": temperature}
    right = probabilities.argmax(1) == true
    calibrated = temper(probabilities, temperature)
    for suffix, values in (("", calibrated), ("_uncalibrated", probabilities)):
        top = values.max(1)
        measured |= {
            f"ece{suffix}": expected_calibration_error(top, right),
            f"nll{suffix}": negative_log_likelihood(values, true),
            f"brier{suffix}": brier_score(values, true),
            f"reliability{suffix}": [asdict(b) for b in reliability(top, right)],
        }
    return measured


def _log(probabilities: FloatArray) -> npt.NDArray[np.float64]:
    logs: npt.NDArray[np.float64] = np.log(np.maximum(probabilities, FLOOR, dtype=np.float64))
    return logs
