"""The curve of a family: error against size, its over-fitting end, its law and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.frontier.draws import Draws
from parsimony.frontier.law import Kind, Laws, fit_laws, profile_of_floor

__all__ = ["FEWEST", "Curve", "Group", "Point", "curve_of"]

Floats = npt.NDArray[np.float64]

#: sizes that a law needs, and sizes that are held out where enough are left
FEWEST, _HELD = 4, 2
#: sizes that a broken law needs, and its error of prediction against that of the power law from
#: which on it is preferred: it has two exponents and a bend to choose
_BROKEN, _CLEARLY = 6, 1 / 3
#: rise of the error on validation that is called over-fitting: in standard errors of the seeds,
#: or, with one seed, as a part of the error
_SIGMAS, _RISE = 2.0, 0.02
#: F-test of scatter about the law against that of the seeds
_LEVEL = 0.05
_BAND = (0.025, 0.5, 0.975)


@dataclass(frozen=True)
class Group:
    """The runs of one size: their errors on validation, and the places of their rows."""

    label: str
    amount: float
    valid: tuple[float, ...]
    rows: tuple[int, ...]


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
    laws, samples
        The law in every draw, None where too few sizes say it; and the mean errors of the sizes in
        every draw, (draws, points).
    summary
        ``law, E, A, alpha``, each with its interval; ``profile`` of E; ``held_out``;
        ``out_of_sample`` error of each law; ``scatter`` about the law beyond that of the seeds.
    notes
        What was left out, and why there is no law.
    """

    family: str
    side: str
    points: list[Point]
    samples: Floats
    laws: Laws | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """The largest amount that the law was fitted to."""
        return max(p.amount for p in self.points if p.role == "law")

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
    groups = _merged(groups)
    samples = draws.means([group.rows for group in groups])
    kept = _before_overfitting(groups)
    low, high = np.quantile(samples, (_BAND[0], _BAND[2]), axis=0)
    points = [
        Point(
            group.label, group.amount, float(draws.errors[list(group.rows)].mean()), float(low[i]),
            float(high[i]), len(group.rows), "law" if i < kept else "over-fitted",
        )
        for i, group in enumerate(groups)
    ]  # fmt: skip
    curve = Curve(family, side, points, samples)
    if kept < len(groups):
        left = ", ".join(group.label for group in groups[kept:])
        curve.notes.append(
            f"{family}: beyond {groups[kept - 1].label} the error on validation rises; left out of "
            f"the law as over-fitted: {left}"
        )
    if kept < FEWEST:
        curve.notes.append(
            f"{family}: {kept} sizes that differ are too few for a law, which needs {FEWEST}"
        )
        return curve
    _fit(curve, groups[:kept], draws, seed)
    return curve


def _merged(groups: Sequence[Group]) -> list[Group]:
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


def _before_overfitting(groups: Sequence[Group]) -> int:
    """How many of the sizes lie before the error on validation rises for good."""
    means = np.array([np.mean(group.valid) for group in groups])
    best = int(means.argmin())
    spreads = [np.var(group.valid, ddof=1) for group in groups if len(group.valid) > 1]
    if spreads:
        each = np.sqrt(np.mean(spreads))
        of_two = np.sqrt(1 / len(groups[-1].valid) + 1 / len(groups[best].valid))
        allowed = _SIGMAS * each * of_two
    else:
        allowed = _RISE * means[best]
    return best + 1 if means[-1] - means[best] > allowed else len(groups)


def _fit(curve: Curve, groups: Sequence[Group], draws: Draws, seed: int) -> None:
    """Choose the law, hold sizes out, and fit all draws."""
    n = len(groups)
    x = np.array([group.amount for group in groups])
    y = np.array([point.error for point in curve.points[:n]])
    weights = np.array([float(len(group.rows)) for group in groups])
    rows = [group.rows for group in groups]
    noise = draws.noise(rows)
    kind, errors = _better_law(x, y, weights, noise)
    how: dict[str, Any] = {"kind": kind, "noise": noise}
    whole = fit_laws(x, y, weights=weights, **how)
    extra = _lack_of_fit(y - whole(x)[0], noise, 3 if kind == "power" else 5, rows)
    random = np.random.default_rng([seed, n])
    samples = curve.samples[:, :n] + random.normal(0.0, extra, (draws.draws, n))
    curve.laws = fit_laws(x, samples, weights=weights, **how)
    laws, fitted = curve.laws, y - whole(x)[0]
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
        curve.summary["held_out"] = _held_out(curve, x, y, samples, weights, how)


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


def _better_law(x: Floats, y: Floats, weights: Floats, noise: float) -> tuple[Kind, dict[str, Any]]:
    """The law that predicts larger sizes from smaller ones with the smaller error.

    Ordered splits: the law is fitted to the first k sizes and predicts all larger ones, for every k
    that both laws can be fitted to. The error is the root mean square of the logarithm.
    """
    n = len(x)
    first = _BROKEN if n > _BROKEN else FEWEST
    kinds: list[Kind] = ["power", "broken"] if n > _BROKEN else ["power"]
    found: dict[str, Any] = {}
    for kind in kinds:
        off = [
            np.log(np.maximum(_predicted(x, y, weights, k, kind, noise), 1e-9) / y[k:])
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
    curve: Curve, x: Floats, y: Floats, samples: Floats, weights: Floats, how: dict[str, Any]
) -> list[dict[str, Any]]:
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
            "off": float(value[i] / point.error - 1), "law": kind,
            "inside": bool(apart[0, i] <= 0 <= apart[1, i]),
        }
        for i, point in enumerate(curve.points[k : len(x)])
    ]  # fmt: skip
