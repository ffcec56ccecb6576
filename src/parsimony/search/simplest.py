"""The simplest model that is not worse: what a race chooses by.

Among the models whose paired difference to the best on validation does not exclude zero, the one
with the shortest description (stored bytes of parameters and rules), then the least compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Contender", "Verdict", "choose", "difference"]

FloatArray = npt.NDArray[np.float64]
Wanted = Literal["auto", "simplest", "best"]


@dataclass(frozen=True, eq=False)
class Contender:
    """A model as a race sees it.

    Attributes
    ----------
    name
    draws
        (1 + draws,) its measure on validation, then on resamples that all contenders share.
    size
        Stored bytes of its parameters and rules.
    seconds
        Wall time that it cost.
    """

    name: str
    draws: FloatArray
    size: int
    seconds: float

    @property
    def valid(self) -> float:
        """The measure on validation."""
        return float(self.draws[0])

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        low, high = np.quantile(self.draws[1:], [0.025, 0.975])
        return float(low), float(high)


@dataclass(frozen=True)
class Verdict:
    """What is said of a contender.

    Attributes
    ----------
    gap, low, high
        How much better the best is than it, paired, with the 95 % interval.
    worse
        Whether that interval excludes zero.
    why
        One of "chosen", "not worse, but larger", "worse".
    """

    gap: float
    low: float
    high: float
    worse: bool
    why: str


def difference(a: FloatArray, b: FloatArray) -> tuple[float, float, float]:
    """How much larger a measure is than another on the same units, with its 95 % interval."""
    low, high = np.quantile(a[1:] - b[1:], [0.025, 0.975])
    return float(a[0] - b[0]), float(low), float(high)


def choose(
    contenders: Sequence[Contender], wanted: Wanted = "auto"
) -> tuple[Contender, dict[str, Verdict]]:
    """Choose, and say of each contender how it stands to the best.

    Parameters
    ----------
    contenders
        At least one.
    wanted
        "auto": the simplest that is not worse than the best. "best": the largest measure.
        "simplest": the shortest description that is better than that of the smallest contender
        with 95 %; the smallest itself where none is.
    """

    def simple(contender: Contender) -> tuple[int, float]:
        return contender.size, contender.seconds

    best = max(contenders, key=lambda c: (c.valid, -c.size))
    gaps = {c.name: difference(best.draws, c.draws) for c in contenders}
    worse = {name: low > 0 for name, (_, low, _) in gaps.items()}
    if wanted == "best":
        chosen = best
    elif wanted == "simplest":
        least = min(contenders, key=simple)
        better = [c for c in contenders if difference(c.draws, least.draws)[1] > 0]
        chosen = min(better, key=simple, default=least)
    else:
        chosen = min((c for c in contenders if not worse[c.name]), key=simple)
    verdicts = {}
    for c in contenders:
        why = "worse" if worse[c.name] else "not worse, but larger"
        if c is chosen:
            why = "chosen"
        elif not worse[c.name] and simple(c) < simple(chosen):
            why = "simpler, and not worse"  # where the best was asked for
        verdicts[c.name] = Verdict(*gaps[c.name], worse[c.name], why)
    return chosen, verdicts
