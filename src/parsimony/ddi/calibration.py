"""Calibration of a fitted run of drug pairs on its validation pairs.

A temperature for the probabilities, thresholds of prediction sets, and the least probability at
which to answer at all. Epochs and parameters were selected on the same pairs, so these estimates
are optimistic. The guarantee also assumes exchangeable pairs, which emerging drugs violate: all
pairs of a drug are drawn together, and the test has other drugs. What is reported is therefore
measured on the test.

Every setting has a calibration of its own: what S0 teaches of pairs of known drugs holds for no
emerging one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Gt
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from parsimony.decoding.documents import checked
from parsimony.errors import CorruptRun
from parsimony.metrics.bootstrap import cluster_interval
from parsimony.metrics.calibration import calibration_metrics, fit_temperature, temper
from parsimony.metrics.conformal import conformal_threshold, covered, prediction_sets, reached
from parsimony.run.forms import Count

__all__ = ["LEVEL", "LEVELS", "Calibration", "calibrations_of", "caveat", "measure_calibration"]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
LEVELS = (0.8, 0.9, 0.95)
LEVEL = 0.9  # of the sets that predict shows
FRACTIONS = tuple(k / 10 for k in range(10, 0, -1))


def caveat(setting: str) -> str:
    """Say what the prediction sets of a setting do not guarantee."""
    if setting == "S0":
        return (
            "A level holds for pairs drawn like those of validation, which also selected the model."
        )
    return (
        "A level holds for pairs drawn like those of validation, which also selected the model. "
        "Emerging drugs are new draws, and the pairs of a drug come together: rely on what was "
        "measured."
    )


class SavedCalibration(TypedDict):
    """confidence.json; null stands for an infinite threshold."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    setting: str
    n_pairs: Count
    temperature: Annotated[float, Gt(0)]
    thresholds: dict[str, float | None]
    answering: dict[str, float]


@dataclass(frozen=True)
class Calibration:
    """Learned on the validation pairs of one setting.

    Parameters
    ----------
    setting
        S0, S1 or S2.
    n_pairs
        Validation pairs.
    temperature
        T of softmax(log p / T).
    thresholds
        Of the prediction sets by level, for calibrated probabilities; infinite where there were too
        few pairs: such a set holds all types.
    answering
        Fraction of validation answered → the least calibrated probability of an answer.
    """

    setting: str
    n_pairs: int
    temperature: float
    thresholds: Mapping[float, float]
    answering: Mapping[float, float]

    @classmethod
    def learn(cls, probabilities: FloatArray, true: IntArray, setting: str) -> Calibration:
        """Learn from the probabilities (n, n_types) and true types (n,) of validation pairs."""
        temperature = fit_temperature(probabilities, true)
        calibrated = temper(probabilities, temperature)
        top = calibrated.max(1)
        return cls(
            setting,
            len(true),
            temperature,
            {level: conformal_threshold(calibrated, true, level) for level in LEVELS},
            {f: float(np.quantile(top, 1 - f, method="inverted_cdf")) for f in FRACTIONS},
        )

    def calibrated(self, probabilities: FloatArray) -> npt.NDArray[np.float64]:
        """Return probabilities (n, n_types) at the temperature."""
        return temper(probabilities, self.temperature)

    def sets(self, calibrated: FloatArray, level: float = LEVEL) -> npt.NDArray[np.bool_]:
        """Which types are in the measured set of every pair, the most probable one always."""
        return prediction_sets(calibrated, self.thresholds[level])

    def reached(self, calibrated: FloatArray, level: float = LEVEL) -> npt.NDArray[np.bool_]:
        """Which types are probable enough for the set of a pair, (n, n_types); none: abstain."""
        return reached(calibrated, self.thresholds[level])

    def as_dict(self) -> dict[str, Any]:
        """Return what confidence.json holds; null stands for an infinite threshold."""
        return {
            "setting": self.setting,
            "n_pairs": self.n_pairs,
            "temperature": self.temperature,
            "thresholds": {
                str(level): q if np.isfinite(q) else None for level, q in self.thresholds.items()
            },
            "answering": {str(fraction): p for fraction, p in self.answering.items()},
        }


Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class _Saved:
    """A calibration in confidence.json; the first one holds the others."""

    setting: Literal["S0", "S1", "S2"]
    n_pairs: Annotated[int, Field(ge=1)]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    thresholds: dict[Share, Share | None]
    answering: dict[Share, Share]
    others: list[_Saved] = field(default_factory=list)


def calibrations_of(content: object, where: str) -> dict[str, Calibration]:
    """Read confidence.json: the calibration of the run's setting, then those of other settings.

    Raises
    ------
    CorruptRun
        It does not hold that.
    """
    remedy = "fit again, or restore the run folder"
    first = checked(_Saved, content, where, error=CorruptRun, remedy=remedy)
    found: dict[str, Calibration] = {}
    for saved in (first, *first.others):
        if LEVEL not in saved.thresholds:
            raise CorruptRun(f"no threshold of level {LEVEL}", remedy=remedy, where=where)
        thresholds = {k: np.inf if q is None else q for k, q in saved.thresholds.items()}
        found[saved.setting] = Calibration(
            saved.setting, saved.n_pairs, saved.temperature, thresholds, saved.answering
        )
    return found


def measure_calibration(
    calibration: Calibration,
    probabilities: FloatArray,
    true: IntArray,
    cluster: IntArray,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure the calibration on the pairs of a split.

    Parameters
    ----------
    probabilities
        (n, n_types), before calibration.
    true
        (n,) types.
    cluster
        (n,) the drug that a pair is drawn with.
    seed
        Of the bootstrap.

    Returns
    -------
    dict
        ``calibration`` (:func:`~parsimony.metrics.calibration.calibration_metrics`), ``conformal``
        by level (``coverage``, its 95 % ``interval`` over drugs, ``mean_size``, ``single``:
        fraction of sets of one type, ``none``: fraction of pairs of which no type is probable
        enough, for which the sets measured have the most probable one) and ``abstention``:
        ``share_answered`` and ``accuracy`` at each ``threshold`` of validation.
    """
    calibrated = calibration.calibrated(probabilities)
    right, top = probabilities.argmax(1) == true, calibrated.max(1)
    conformal = {}
    for level in calibration.thresholds:
        sets = calibration.sets(calibrated, level)
        held, size = covered(sets, true), sets.sum(1)
        conformal[str(level)] = {
            "coverage": float(held.mean()),
            "interval": list(cluster_interval(held, cluster, seed)),
            "mean_size": float(size.mean()),
            "single": float((size == 1).mean()),
            "none": float(1 - calibration.reached(calibrated, level).any(1).mean()),
        }
    abstention = []
    for fraction, threshold in calibration.answering.items():
        answered = top >= threshold if fraction < 1 else np.ones(len(top), bool)
        abstention.append(
            {
                "threshold": threshold,
                "share_answered": float(answered.mean()),
                "accuracy": float(right[answered].mean()) if answered.any() else None,
            }
        )
    return {
        "calibration": calibration_metrics(probabilities, true, calibration.temperature),
        "conformal": conformal,
        "abstention": abstention,
    }
