"""The runs of one size, sizes that are one, and the end of a family at which it over-fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Group", "before_overfitting", "merged"]

#: rise of the error on validation that is called over-fitting, the largest of: standard errors of
#: the seeds and of what is drawn, a part of the error, and as much as a few queries make
_SIGMAS, _RISE, _LEAST_RISE = 2.0, 0.02, 0.002


@dataclass(frozen=True)
class Group:
    """The runs of one size: their errors on validation, and the places of their rows."""

    label: str
    amount: float
    valid: tuple[float, ...]
    rows: tuple[int, ...]


def merged(groups: Sequence[Group]) -> list[Group]:
    """Sizes by amount; what is called otherwise but has the same amount is one size."""
    found: list[Group] = []
    for group in sorted(groups, key=lambda g: g.amount):
        if found and group.amount <= found[-1].amount * 1.001:
            last = found.pop()
            group = Group(
                f"{last.label} = {group.label}", last.amount, last.valid + group.valid,
                last.rows + group.rows,
            )  # fmt: skip
        found.append(group)
    return found


def before_overfitting(groups: Sequence[Group], samples: npt.NDArray[np.floating]) -> int:
    """How many of the sizes lie before the error on validation rises for good.

    ``samples`` are resampled errors on test, (draws, sizes). Which size is best they do not say;
    how far the difference of two sizes scatters, they do, of one seed as well.
    """
    means = np.array([np.mean(group.valid) for group in groups])
    best = int(means.argmin())
    spreads = [np.var(group.valid, ddof=1) for group in groups if len(group.valid) > 1]
    allowed = max(_RISE * means[best], _LEAST_RISE)  # of methods that draw nothing, seeds agree
    if spreads:
        of_two = np.sqrt(1 / len(groups[-1].valid) + 1 / len(groups[best].valid))
        allowed = max(allowed, _SIGMAS * np.sqrt(np.mean(spreads)) * of_two)
    allowed = max(allowed, _SIGMAS * float(np.std(samples[:, -1] - samples[:, best])))
    return best + 1 if means[-1] - means[best] > allowed else len(groups)
