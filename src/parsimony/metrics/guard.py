"""The one guard of what is measured: scores that can be ordered, measures inside their range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidMeasure, TrainingDiverged

__all__ = ["RANGES", "checked", "require_scores"]

_FRACTION = (0.0, 1.0)
_ROUNDING = 1e-6
#: lowest and highest value of every measure, by its name without "@k"; any other is finite
RANGES: dict[str, tuple[float, float]] = {
    "mrr": _FRACTION,
    "hits": _FRACTION,
    "macro_f1": _FRACTION,
    "macro_f1_true_labels": _FRACTION,
    "accuracy": _FRACTION,
    "kappa": (-1.0, 1.0),
    "pr_auc": _FRACTION,
    "roc_auc": _FRACTION,
    "mse": (0.0, math.inf),
    "mae": (0.0, math.inf),
    "ndcg": _FRACTION,
    "skill": (-math.inf, 1.0),
    "ece": _FRACTION,
    "nll": (0.0, math.inf),
    "brier": (0.0, 2.0),
}


def checked(found: Mapping[str, float]) -> dict[str, float]:
    """Return measures by name, each a finite number inside its range.

    Raises
    ------
    InvalidMeasure
        One is NaN, infinite, or impossible for its name.
    """
    for name, value in found.items():
        low, high = RANGES.get(name.partition("@")[0], (-math.inf, math.inf))
        if not (math.isfinite(value) and low - _ROUNDING <= value <= high + _ROUNDING):
            between = f"{low:g} … {high:g}" if math.isfinite(low + high) else "a finite number"
            raise InvalidMeasure(
                f"{name} is {value}, expected {between}",
                remedy="look at the predictions: lower lr (--set lr=…), or check the data",
            )
    return dict(found)


def require_scores(
    scores: npt.NDArray[Any], what: str = "score", *, unreached: bool = False
) -> None:
    """Refuse scores that have no order: nothing is above NaN, so it would rank first.

    Parameters
    ----------
    scores
        Of any shape.
    what
        What the message calls one.
    unreached
        Whether −∞ stands for what the method does not reach.

    Raises
    ------
    TrainingDiverged
        One is NaN or infinite.
    """
    if not scores.size:
        return
    with np.errstate(invalid="ignore"):
        low, high = float(scores.min()), float(scores.max())  # NaN passes through both
    if not (high < np.inf and (unreached or low > -np.inf)):
        value = high if math.isnan(high) or high == np.inf else low
        raise TrainingDiverged(
            f"a {what} is {'NaN' if math.isnan(value) else 'infinite'}",
            remedy="train afresh, in another --out, with a lower --set lr=…",
        )
