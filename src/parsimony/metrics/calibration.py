"""Whether probabilities mean what they say, and one number that lets them: the temperature.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, On Calibration of Modern Neural Networks, ICML 2017
(temperature, eq. 9; expected calibration error, eq. 3, here with bins of equal mass, since most
answers stand in few of equal width). G. Brier, Monthly Weather Review 78, 1950.

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
FLOOR = 1e-30  # of a probability whose logarithm is taken
COOLEST, HOTTEST = 0.02, 50.0
BINS = 15


def temper(probabilities: FloatArray, temperature: float) -> npt.NDArray[np.float64]:
    """Return softmax(log p / T): flatter for T > 1, sharper for T < 1; the order stays.

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
    """Return the temperature of the least negative log-likelihood, in [0.02, 50].

    Of the targets 1 / (n + 2) is spread over all labels (J. Platt, Probabilistic Outputs for
    Support Vector Machines, 1999): n pairs that are all right do not prove that none is ever wrong,
    and without it T would fall to its bound. The likelihood is concave in 1 / T, so that there is
    one.

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
    """Mean −log p of the true label, in nats."""
    return float(-_log(probabilities[np.arange(len(true)), true]).mean())


def brier_score(probabilities: FloatArray, true: IntArray) -> float:
    """Mean Σ_r (p_r − 1[r = true])²: [0, 2]."""
    of_true = probabilities[np.arange(len(true)), true].astype(np.float64)
    squares = np.square(probabilities, dtype=np.float64).sum(1)
    return float((squares - 2 * of_true + 1).mean())


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same probability.

    Parameters
    ----------
    probability
        Their mean.
    accuracy
        Share that is right.
    n
        How many.
    """

    probability: float
    accuracy: float
    n: int


def reliability(top: FloatArray, right: npt.NDArray[np.bool_], bins: int = BINS) -> tuple[Bin, ...]:
    """Sort answers by their probability into bins of equal mass.

    Parameters
    ----------
    top, right
        (n,) probability of the answer, and whether it is right.
    bins
        Most bins; no more than there are answers.
    """
    order = np.argsort(top, kind="stable")
    parts = np.array_split(order, min(bins, len(order))) if len(order) else []
    return tuple(Bin(float(top[i].mean()), float(right[i].mean()), len(i)) for i in parts)


def expected_calibration_error(
    top: FloatArray, right: npt.NDArray[np.bool_], bins: int = BINS
) -> float:
    """Mean distance between probability and accuracy over bins of equal mass: [0, 1]."""
    found = reliability(top, right, bins)
    return sum(b.n * abs(b.probability - b.accuracy) for b in found) / max(len(top), 1)


def calibration_metrics(
    probabilities: FloatArray, true: IntArray, temperature: float
) -> dict[str, Any]:
    """Measure probabilities before and after a temperature.

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
