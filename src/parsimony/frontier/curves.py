"""The curve of a family: error against size, its over-fitting end, its law and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.frontier.draws import Draws
from parsimony.frontier.groups import Group, before_overfitting, merged
from parsimony.frontier.law import Between, Kind, Laws, fit_laws, profile_of_floor

__all__ = ["DECADE", "FEWEST", "Curve", "Point", "curve_of"]

Floats = npt.NDArray[np.float64]

#: how far beyond the sizes of a law anything is said
DECADE = 10.0
#: sizes that a law needs, and sizes that are held out where enough are left
FEWEST, _HELD = 4, 2
#: sizes that a broken law needs, and its error of prediction against that of the power law from
#: which on it is preferred: it has two exponents and a bend to choose
_BROKEN, _CLEARLY = 6, 1 / 3
#: scatter beyond that of the seeds, as a part of what a law falls by, from which on it is none:
#: about a fifth of the variance
_SCATTERED = 0.15
#: F-test of scatter about the law against that of the seeds
_LEVEL = 0.05
_BAND = (0.025, 0.5, 0.975)


@dataclass(frozen=True)
class Point:
    """A size as it was measured; ``role`` is "law", or "over-fitted" where it is left out."""

    label: str
    amount: float
    error: float
    low: float
    high: float
    seeds: int
    role: Literal["law", "over-fitted"]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it by name."""
        return dict(vars(self))


@dataclass
class Curve:
    """A family on a measure.

    Attributes
    ----------
    points
        Small to large.
    groups
        The runs of each point.
    samples
        Mean errors of the sizes in every draw, (draws, points).
    laws
        The law in every draw; what lies between the sizes where the error follows none; None where
        too few sizes say anything.
    reach
        How many times the largest size, and what part of the smallest, anything is said of: a
        decade, or 1 where the law is none, or where larger sizes over-fit.
    summary
        ``law, E, A, alpha``, each with its interval; ``profile`` of E; ``held_out``;
        ``out_of_sample`` error of each law; ``scatter`` about the law beyond that of the seeds;
        ``lawless``, why the error does not follow it, or "".
    notes
        What was left out, and why there is no law.
    """

    family: str
    side: str
    points: list[Point]
    groups: list[Group]
    samples: Floats
    laws: Laws | Between | None = None
    reach: float = DECADE
    summary: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest amount that the law was fitted to."""
        amounts = [p.amount for p in self.points if p.role == "law"]
        return min(amounts), max(amounts)

    def band(self, amounts: Floats) -> Floats:
        """Return the 2.5 %, 50 % and 97.5 % quantiles of the law, (3, amounts)."""
        assert self.laws is not None
        return np.quantile(self.laws(amounts), _BAND, axis=0)


def curve_of(family: str, side: str, groups: Sequence[Group], draws: Draws, seed: int = 0) -> Curve:
    """Gather a family's sizes into a curve.

    Parameters
    ----------
    groups
        Its sizes, in any order; those of the same amount are one.
    """
    groups = merged(groups)
    samples = draws.means([group.rows for group in groups])
    kept = before_overfitting(groups, samples)
    low, high = np.quantile(samples, (_BAND[0], _BAND[2]), axis=0)
    points = [
        Point(
            group.label, group.amount, float(draws.errors[list(group.rows)].mean()), float(low[i]),
            float(high[i]), len(group.rows), "law" if i < kept else "over-fitted",
        )
        for i, group in enumerate(groups)
    ]  # fmt: skip
    curve = Curve(family, side, points, groups, samples)
    if kept < len(groups):
        curve.reach = 1.0
        left = ", ".join(group.label for group in groups[kept:])
        curve.notes.append(
            f"{family}: beyond {groups[kept - 1].label} the error on validation rises; left out of "
            f"the law as over-fitted, and nothing is said beyond: {left}"
        )
    if kept < FEWEST:
        curve.notes.append(
            f"{family}: a law needs {FEWEST} sizes that differ, and there "
            f"{'is 1' if kept == 1 else f'are {kept}'}"
        )
        return curve
    _fit(curve, groups[:kept], draws, seed)
    return curve


def _fit(curve: Curve, groups: Sequence[Group], draws: Draws, seed: int) -> None:
    """Choose the law, hold sizes out, and fit all draws."""
    n = len(groups)
    x = np.array([group.amount for group in groups])
    y = np.array([point.error for point in curve.points[:n]])
    weights = np.array([float(len(group.rows)) for group in groups])
    rows = [group.rows for group in groups]
    noise = draws.noise(rows)
    kind, errors = _better_law(x, y, weights, noise, draws.least)
    how: dict[str, Any] = {"kind": kind, "noise": noise}
    whole = fit_laws(x, y, weights=weights, **how)
    extra = _lack_of_fit(y - whole(x)[0], noise, 3 if kind == "power" else 5, rows)
    random = np.random.default_rng([seed, n])
    samples = curve.samples[:, :n] + random.normal(0.0, extra, (draws.draws, n))
    laws = curve.laws = fit_laws(x, samples, weights=weights, **how)
    fitted = y - whole(x)[0]
    # Percentiles are too narrow at a boundary: where E may be 0, what the law says without E counts
    # as well.
    other = fit_laws(x, samples, weights=weights, **how, floor=False) if _at_zero(laws) else laws
    curve.summary = {
        "law": kind,
        "E": _with_interval(whole.floor[0], laws.floor),
        "A": _with_interval(_plain(whole)[0], _plain(laws), _plain(other)),
        "alpha": _with_interval(whole.alpha[0], laws.alpha, other.alpha),
        "rms": float(np.sqrt(np.mean(fitted**2))),
        "scatter": float(extra),
        "out_of_sample": errors,
    }
    if kind == "broken":
        curve.summary["later_alpha"] = _with_interval(whole.later[0], laws.later)
        curve.summary["bend"] = _with_interval(
            whole.bend[0] * whole.center, laws.bend * laws.center
        )
    floors, deviance, inside = profile_of_floor(x, y, weights=weights)
    curve.summary["profile"] = {
        "E": floors.tolist(), "deviance": deviance.tolist(), "interval": list(inside),
    }  # fmt: skip
    if extra:
        curve.notes.append(
            f"{curve.family}: the sizes scatter about the law by {extra:.3g} more than seeds do; "
            "the band is widened by it"
        )
    if n - _HELD >= FEWEST:
        curve.summary["held_out"] = _held_out(curve, x, y, samples, weights, how, draws.least)
    why = curve.summary["lawless"] = _lawless(whole(x)[0], laws, float(extra), curve.summary)
    if why:
        curve.laws, curve.reach = Between(x, curve.samples[:, :n]), 1.0
        curve.notes.append(
            f"{curve.family}: the error does not follow a power law: {why}; nothing is said beyond "
            "the sizes that were run, and what lies between them is read off their errors"
        )


def _lawless(fitted: Floats, laws: Laws, extra: float, summary: dict[str, Any]) -> str:
    """Why the errors of a family do not follow its law; "" where they do."""
    falls = float(np.mean(laws.scale > 0))
    if falls < _BAND[2]:
        return f"it falls with size in {falls:.0%} of the draws alone"
    span = float(fitted[0] - fitted[-1])
    if extra > _SCATTERED * span:
        return (
            f"sizes scatter about it by {extra:.2g} more than seeds do, and in all it falls by "
            f"{span:.2g}"
        )
    held = summary.get("held_out", ())
    if held and not any(each["inside"] for each in held):
        return "the smaller sizes predict none of the two largest within its interval"
    return ""


def _plain(laws: Laws) -> Floats:
    """A as in E + A·N^(−α), with N in single units."""
    with np.errstate(over="ignore"):
        return np.asarray(laws.scale * laws.center**laws.alpha)


def _at_zero(laws: Laws) -> bool:
    return bool(np.quantile(laws.floor, _BAND[0]) <= 0.0)


def _with_interval(value: float, *drawn: Floats) -> dict[str, Any]:
    """A value with the smallest interval that holds those of all draws."""
    low, high = np.quantile(np.stack(drawn), (_BAND[0], _BAND[2]), axis=1)
    return {"value": float(value), "interval": [float(low.min()), float(high.max())]}


def _better_law(
    x: Floats, y: Floats, weights: Floats, noise: float, least: float
) -> tuple[Kind, dict[str, Any]]:
    """The law that predicts larger sizes from smaller ones with the smaller error.

    Ordered splits: the law is fitted to the first k sizes and predicts all larger ones, for every k
    that both laws can be fitted to. The error is the root mean square of the logarithm, where what
    is below ``least`` counts as that: a size may have answered everything right.
    """
    n = len(x)
    first = _BROKEN if n > _BROKEN else FEWEST
    kinds: list[Kind] = ["power", "broken"] if n > _BROKEN else ["power"]
    found: dict[str, Any] = {}
    for kind in kinds:
        off = [
            np.log(np.maximum(_predicted(x, y, weights, k, kind, noise), least))
            - np.log(np.maximum(y[k:], least))
            for k in range(first, n)
        ]
        if off:
            found[kind] = float(np.sqrt(np.mean(np.concatenate(off) ** 2)))
    bent = found.get("broken", np.inf) < _CLEARLY * found.get("power", 0.0)
    return ("broken" if bent else "power"), found


def _predicted(x: Floats, y: Floats, weights: Floats, k: int, kind: Kind, noise: float) -> Floats:
    law = fit_laws(x[:k], y[:k], weights=weights[:k], kind=kind, noise=noise)
    found: Floats = law(x[k:])[0]
    return found


def _lack_of_fit(
    residuals: Floats, noise: float, parameters: int, rows: Sequence[Sequence[int]]
) -> float:
    """Standard deviation of the scatter about the law that the seeds do not account for.

    With one seed all scatter counts; with several, only what an F-test shows.
    """
    from scipy.stats import f

    free = len(residuals) - parameters
    repeats = sum(len(group) - 1 for group in rows)
    if free < 1:
        return 0.0
    scatter = float(np.sum(residuals**2)) / free
    if not repeats:
        return float(np.sqrt(scatter))
    if scatter <= noise**2 * float(f.isf(_LEVEL, free, repeats)):
        return 0.0
    return float(np.sqrt(scatter - noise**2))


def _held_out(
    curve: Curve, x: Floats, y: Floats, samples: Floats, weights: Floats, how: dict[str, Any],
    least: float,
) -> list[dict[str, Any]]:  # fmt: skip
    """Predict the largest sizes from the others, in every draw, and say how far off that is."""
    k = len(x) - _HELD
    kind: Kind = how["kind"] if k >= _BROKEN else "power"
    how = {**how, "kind": kind, "weights": weights[:k]}
    value = fit_laws(x[:k], y[:k], **how)(x[k:])[0]
    drawn = fit_laws(x[:k], samples[:, :k], **how)(x[k:])
    low, high = np.quantile(drawn, (_BAND[0], _BAND[2]), axis=0)
    apart = np.quantile(samples[:, k:] - drawn, (_BAND[0], _BAND[2]), axis=0)
    return [
        {
            "label": point.label, "amount": point.amount, "measured": point.error,
            "predicted": float(value[i]), "interval": [float(low[i]), float(high[i])],
            "off": float(value[i] / max(point.error, least) - 1), "law": kind,
            "inside": bool(apart[0, i] <= 0 <= apart[1, i]),
        }
        for i, point in enumerate(curve.points[k : len(x)])
    ]  # fmt: skip
