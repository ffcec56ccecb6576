"""Equivalent scale: what one family would need for the error that a model of another has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.frontier.curves import Curve

__all__ = ["Equivalent", "Verdict", "equivalent_scale"]

Floats = npt.NDArray[np.float64]
Verdict = Literal["more", "less", "open"]


@dataclass(frozen=True)
class Equivalent:
    """How much of a measure a family needs for an error, by inverting its law in every draw.

    Attributes
    ----------
    amount
        What the model with that error has itself.
    low, middle, high
        95 % interval of what the family needs, and its median; None where it lies beyond the reach
        of the curve.
    at_least
        Lower limit with 95 %, where ``high`` is None: it lies within that reach.
    at_most
        Upper limit with 95 %, where ``low`` is None because every size is good enough.
    extrapolated
        Whether a limit that is said lies beyond the sizes of the law.
    verdict
        "more": it needs more than the model has, with 95 %; "less": it needs less; "open".
    """

    amount: float
    low: float | None
    middle: float | None
    high: float | None
    at_least: float | None
    at_most: float | None
    extrapolated: bool
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, and the same as multiples of the model's own amount."""
        found: dict[str, Any] = dict(vars(self))
        for name in ("low", "middle", "high", "at_least", "at_most"):
            value = found[name]
            found[f"times_{name}"] = None if value is None else value / self.amount
        return found


def equivalent_scale(curve: Curve, errors: Floats, amount: float) -> Equivalent | None:
    """Invert the law of a curve at the errors that a model has in the same draws.

    Parameters
    ----------
    errors
        (draws,), drawn with the same queries as the curve.
    amount
        What the model itself has of the measure, positive.

    Returns
    -------
    Equivalent or None
        None where the family has too few sizes.
    """
    if curve.laws is None:
        return None
    smallest, largest = curve.ends
    top, bottom = largest * curve.reach, smallest / curve.reach
    drawn = curve.laws.inverse(errors)
    # Order statistics, as infinity cannot be interpolated with.
    low, middle, high = np.quantile(drawn, (0.025, 0.5, 0.975), method="inverted_cdf")
    one_low, one_high = np.quantile(drawn, (0.05, 0.95), method="inverted_cdf")
    beyond, before = bool(high > top), bool(low < bottom)
    at_least = min(float(one_low), top) if beyond and one_low >= bottom else None
    at_most = max(float(one_high), bottom) if before and one_high <= top else None
    lower, upper = (at_least if beyond else float(low)), (at_most if before else float(high))
    verdict: Verdict = "open"
    if lower is not None and lower > amount:
        verdict = "more"
    elif upper is not None and upper < amount:
        verdict = "less"
    said = [v for v in (lower, upper) if v is not None and bottom <= v <= top]
    return Equivalent(
        amount,
        None if beyond or before else float(low),
        None if middle > top or middle < bottom else float(middle),
        None if beyond or before else float(high),
        at_least,
        at_most,
        any(v > largest or v < smallest for v in said),
        verdict,
    )
