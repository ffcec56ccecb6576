"""Probabilities from the scores of an adapted model, given the expected fraction of actives.

A support holds as many active as inactive molecules, whatever their frequency. A score s is first
turned into a log likelihood ratio, a s + c, by logistic regression on the validation episodes, both
classes of every task weighted equally (J. Platt, 1999); then the prior log-odds of the expected
fraction π are added: p = σ(a s + c + log π / (1 − π)) (docs/methods/few_shot.md, eq. 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from parsimony.metrics.calibration import expected_calibration_error
from parsimony.molecules.adapted import FloatArray, LabelArray
from parsimony.molecules.evaluation import EpisodeScores

__all__ = ["BalancedCalibration", "nearest", "sigmoid"]

STEPS, RIDGE = 50, 1e-3


@dataclass(frozen=True)
class BalancedCalibration:
    """Slope and offset of the log likelihood ratio.

    Parameters
    ----------
    slope, offset
        a ≥ 0 and c.
    centre, scale
        Scores are standardised by these first.
    n_tasks, n_episodes
        What they were learned on.
    """

    slope: float
    offset: float
    centre: float
    scale: float
    n_tasks: int
    n_episodes: int

    @classmethod
    def learn(cls, scores: EpisodeScores) -> Self:
        """Fit by Newton's method; all classes of all episodes have the same total weight."""
        s = np.concatenate([part.score for part in scores.parts]).astype(np.float64)
        y = np.concatenate([part.answers for part in scores.parts]).astype(np.float64)
        weight = np.concatenate([_even(part.answers) for part in scores.parts])
        weight /= weight.sum()
        centre = float(weight @ s)
        scale = float(np.sqrt(weight @ (s - centre) ** 2)) or 1.0
        x = np.stack([(s - centre) / scale, np.ones_like(s)], 1)
        w = np.zeros(2)
        for _ in range(STEPS):
            p = sigmoid(x @ w)
            gradient = x.T @ (weight * (p - y)) + RIDGE * w
            hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(2)
            step = np.linalg.solve(hessian, gradient)
            w -= step
            if np.abs(step).max() < 1e-8:
                break
        # A negative slope would invert the ranking; validation is too small to justify that.
        return cls(
            max(float(w[0]), 0.0), float(w[1]), centre, scale,
            len({part.task for part in scores.parts}), scores.episodes,
        )  # fmt: skip

    def probability(self, score: FloatArray, prevalence: float) -> FloatArray:
        """Probabilities (n,) where a fraction ``prevalence`` in (0, 1) is expected to be active."""
        standard: FloatArray = (np.asarray(score, np.float64) - self.centre) / self.scale
        prior = float(np.log(prevalence / (1 - prevalence)))
        return sigmoid(self.slope * standard + self.offset + prior)

    def measure(self, scores: EpisodeScores, prevalence: float) -> dict[str, float]:
        """Measure its probabilities: expected calibration error and Brier score.

        Returns
        -------
        dict
            ``ece, brier`` where a fraction ``prevalence`` is expected to be active, and
            ``ece_true_share, brier_true_share`` with each task's own fraction; means over tasks and
            episodes.
        """
        y = [part.answers == 1 for part in scores.parts]
        found = {}
        for suffix, own in (("", False), ("_true_share", True)):
            p = [
                self.probability(part.score, float(part.answers.mean()) if own else prevalence)
                for part in scores.parts
            ]
            errors = [expected_calibration_error(a, b) for a, b in zip(p, y, strict=True)]
            found[f"ece{suffix}"] = float(np.mean(errors))
            squares = [float(np.mean((a - b) ** 2)) for a, b in zip(p, y, strict=True)]
            found[f"brier{suffix}"] = float(np.mean(squares))
        return found

    def as_dict(self) -> dict[str, float | int]:
        """Return what a run folder holds."""
        return asdict(self)


def nearest(calibration: Mapping[int, BalancedCalibration], shots: float) -> BalancedCalibration:
    """Return the calibration whose number of shots is nearest, by ratio."""
    best = min(calibration, key=lambda k: abs(np.log(k / shots)))
    return calibration[best]


def sigmoid(logit: FloatArray) -> FloatArray:
    """1 / (1 + exp(−x)), bounded away from 0 and 1."""
    probability: FloatArray = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return probability


def _even(answers: LabelArray) -> npt.NDArray[np.float64]:
    """Weights of an episode's queries: 1/2 per class."""
    weight = 0.5 / np.maximum(np.bincount(answers, minlength=2), 1)
    weights: npt.NDArray[np.float64] = weight[answers]
    return weights
