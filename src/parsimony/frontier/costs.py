"""What runs cost in seconds: measured at a few sizes of each family, and read off in between.

A method that learns in epochs takes a few steps that teach nothing and a look at validation, as
``parsimony fit --dry-run`` does; its cost is that of all its epochs, and less where it stops early.
One without epochs is run, in a folder that is thrown away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parsimony.frontier.families import Family, Size
from parsimony.frontier.opening import estimator_of, opened
from parsimony.frontier.row import Subject, Tuned
from parsimony.frontier.running import run_size
from parsimony.frontier.tuning import TRIAL
from parsimony.frontier.warming import warm, warming_seconds
from parsimony.methods import resolve
from parsimony.run.deadline import Deadline
from parsimony.stopping import Interrupted

__all__ = ["Cost", "Costs", "costs_of", "fraction", "seconds_of"]

#: of a run beside its epochs: ranking validation and test, and writing
_BESIDE, _LEAST = 1.1, 0.5
#: of the time for measuring, what one run may take; and what it is thought to take of what it had
#: where that cut it short
_PART, _CUT = 0.25, 4.0
#: of a run's cost, what does not shrink with the labels
_FIXED = 0.25


@dataclass(frozen=True)
class Cost:
    """Seconds of a run of one size with all labels, of a trial of its tuning, and once of all."""

    run: float
    trial: float
    once: float = 0.0

    def of(self, seeds: int, trials: int, shares: Sequence[float]) -> float:
        """Seconds of all seeds on all shares of the labels, each share with its tuning."""
        return self.once + (seeds * self.run + trials * self.trial) * sum(map(fraction, shares))


def fraction(share: float) -> float:
    """What a share of the labels costs of a run with all of them."""
    return _FIXED + (1 - _FIXED) * share


Costs = Mapping[str, Mapping[str, Cost]]


def costs_of(families: Sequence[Family], subject: Subject, deadline: Deadline) -> Costs:
    """Measure until the deadline what runs of families cost: those of the main comparison first.

    Of every family the smallest size, then of every one the largest, then the one in the middle.

    Returns
    -------
    dict
        By family and label of the size; without the families that there was no time to measure.
    """
    seen: dict[str, dict[int, float]] = {family.name: {} for family in families}
    for main in (True, False):
        able = [family for family in families if family.main == main]
        for part in (0.0, 1.0, 0.5):
            for family in list(able):
                k = round(part * (len(family.sizes) - 1))
                took = _measured(family, family.sizes[k], subject, deadline)
                if took is None:
                    able.remove(family)
                else:
                    seen[family.name][k] = took
    return {
        family.name: _between(family, subject.kind, seen[family.name])
        for family in families
        if seen[family.name]
    }


def _measured(family: Family, size: Size, subject: Subject, deadline: Deadline) -> float | None:
    """Seconds of a run; None where there is no time to say, or the size cannot be run."""
    limited = deadline.limited
    if deadline.passed() or not warm(size, subject.kind, deadline.left() if limited else None):
        return None
    if _in_epochs(size):
        try:
            total = estimator_of(size.method, size.settings, 0).estimate(opened(subject))
        except (KeyboardInterrupt, Interrupted):
            raise
        except Exception:  # the run itself will say what is wrong
            return None
        return None if total.total_seconds is None else _BESIDE * total.total_seconds + _LEAST
    with tempfile.TemporaryDirectory() as folder:
        row = run_size(
            family, size, subject, share=1.0, seed=0, folder=Path(folder),
            seconds=_PART * deadline.left() if limited else None, tuned=Tuned(),
        )  # fmt: skip
    return row.seconds * (_CUT if row.status == "out of time" else 1.0)


def _in_epochs(size: Size) -> bool:
    return bool({"epochs", "steps"} & set(resolve(size.method).Parameters.model_fields))


def _between(family: Family, kind: str, seen: Mapping[int, float]) -> dict[str, Cost]:
    """Read the sizes in between off the measured ones, on two logarithms."""
    about = np.array([size.about for size in family.sizes])
    known = sorted(seen)
    took = np.maximum.accumulate([seen[k] for k in known])
    seconds = np.exp(np.interp(np.log(about), np.log(about[known]), np.log(took)))
    if _in_epochs(family.sizes[-1]):  # beyond them, in proportion; what is counted hardly grows
        seconds *= np.maximum(about / about[known[-1]], 1.0)
    return {
        size.label: Cost(
            float(each), float(each) * (TRIAL if _in_epochs(size) else 1.0),
            warming_seconds(size, kind),
        )
        for size, each in zip(family.sizes, seconds, strict=True)
    }  # fmt: skip


def seconds_of(
    families: Sequence[Family], costs: Costs, *, seeds: int, trials: int, shares: Sequence[float]
) -> float | None:
    """Seconds that all runs take one after the other; None where a cost is not known."""
    if any(family.name not in costs for family in families):
        return None
    return sum(
        costs[family.name][size.label].of(seeds, trials, shares)
        for family in families
        for size in family.sizes
    )
