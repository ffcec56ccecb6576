"""Laws of error against size, E + A·N^(−α) and its broken form, fitted to many draws at once.

For given exponents the error is linear in E and A, which are solved for exactly within E ≥ 0 and
A ≥ 0 (variable projection: G. Golub, V. Pereyra, SIAM J. Numer. Anal. 10, 1973); exponents are
searched on a grid that is refined once around its best point. Huber weights, by iterated
reweighting, keep one odd size from bending a law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Between", "Kind", "Laws", "fit_laws", "profile_of_floor"]

Floats = npt.NDArray[np.float64]
Kind = Literal["power", "broken"]

_ALPHA = np.geomspace(0.01, 3.0, 90)
_COARSE = np.geomspace(0.02, 3.0, 16)  # of each exponent of a broken law
_STEP, _COARSE_STEP = _ALPHA[1] / _ALPHA[0], _COARSE[1] / _COARSE[0]
_REFINED, _REFINED_BENT = 21, 7
_HUBER = 1.345
_PASSES = 4
_TINY, _LEAST = 1e-12, 1e-9
#: χ²(1) at 95 %
_CHI = 3.841


@dataclass(frozen=True)
class Laws:
    """A law for each draw; all arrays (draws,).

    Attributes
    ----------
    kind
    center
        N₀: amounts are measured in it, which keeps ``scale`` of the order of the errors.
    floor, scale, alpha
        E, A·N₀^(−α) and α. A law that does not fall has scale 0.
    later, bend
        Of a broken law the exponent beyond the bend, and the bend in units of N₀.
    """

    kind: Kind
    center: float
    floor: Floats
    scale: Floats
    alpha: Floats
    later: Floats
    bend: Floats

    def __len__(self) -> int:
        """Number of draws."""
        return len(self.floor)

    def __call__(self, amounts: Floats) -> Floats:
        """Return the errors at the amounts, (draws, amounts)."""
        x = np.asarray(amounts, np.float64) / self.center
        falls = _falls(x[None, :], self.alpha[:, None], self.later[:, None], self.bend[:, None])
        return self.floor[:, None] + self.scale[:, None] * falls

    def inverse(self, errors: Floats) -> Floats:
        """Return the amounts at which each draw has its error, (draws,).

        Infinity where it never has so small an error, 0 where every size has a smaller one.
        """
        rest = (errors - self.floor) / np.maximum(self.scale, _TINY)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            at_bend = self.bend**-self.alpha
            first = np.maximum(rest, _TINY) ** (-1 / self.alpha)
            second = self.bend * (np.maximum(rest, _TINY) / at_bend) ** (-1 / self.later)
        found = np.where(rest >= at_bend, first, second) * self.center
        found = np.where(self.scale <= _TINY, np.where(errors >= self.floor, 0.0, np.inf), found)
        return np.where(errors <= self.floor, np.inf, found)


@dataclass(frozen=True)
class Between:
    """No law: in every draw the errors of the sizes, joined by straight lines on two logarithms.

    Attributes
    ----------
    amounts, errors
        (sizes,), ascending, and (draws, sizes).
    """

    amounts: Floats
    errors: Floats

    def __call__(self, amounts: Floats) -> Floats:
        """Return the errors at amounts between the first and the last size, (draws, amounts)."""
        x, known = np.log(amounts), np.log(self.amounts)
        y = np.log(np.maximum(self.errors, _LEAST))
        found: Floats = np.exp(np.array([np.interp(x, known, row) for row in y]))
        return found

    def inverse(self, errors: Floats) -> Floats:
        """Return the least amounts at which each draw has its error, (draws,).

        Infinity where no size has so small an error, 0 where the smallest has.
        """
        reached = self.errors <= errors[:, None]
        k, rows = reached.argmax(1), np.arange(len(errors))
        before = np.maximum(k - 1, 0)
        x, y = np.log(self.amounts), np.log(np.maximum(self.errors, _LEAST))
        fall = np.maximum(y[rows, before] - y[rows, k], _TINY)
        part = np.clip((y[rows, before] - np.log(np.maximum(errors, _LEAST))) / fall, 0.0, 1.0)
        found = np.exp(x[before] + part * (x[k] - x[before]))
        return np.where(reached.any(1), np.where(k == 0, 0.0, found), np.inf)


def _falls(x: Floats, alpha: Floats, later: Floats, bend: Floats) -> Floats:
    """N^(−α) up to the bend, and on from there with the later exponent."""
    early = x**-alpha
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        late = bend**-alpha * (x / bend) ** -later
    return np.where(x <= bend, early, late)


def fit_laws(
    amounts: Floats, errors: Floats, *, weights: Floats | None = None, kind: Kind = "power",
    noise: float = 0.0, floor: bool = True,
) -> Laws:  # fmt: skip
    """Fit a law to each draw.

    Parameters
    ----------
    amounts
        (sizes,), positive, at least three different ones; five for a broken law.
    errors
        (draws, sizes).
    weights
        (sizes,), such as numbers of seeds.
    noise
        Standard deviation of the errors that is known of; residuals are called odd in units of it,
        or of their own median where that is larger.
    floor
        Whether E may be above 0.
    """
    x, y = np.asarray(amounts, np.float64), np.atleast_2d(np.asarray(errors, np.float64))
    base = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    center = float(np.exp(np.mean(np.log(x))))
    x = x / center
    candidates = _power_grid() if kind == "power" else _broken_grid(x)
    w = np.broadcast_to(base, y.shape)
    for left in reversed(range(_PASSES)):
        best, lowest, scale = _projected(x, y, w, candidates, floor)
        if not left:
            best, lowest, scale = _refined(x, y, w, best, kind, floor)
        alpha, later, bend = best
        fitted = lowest[:, None] + scale[:, None] * _falls(
            x[None, :], alpha[:, None], later[:, None], bend[:, None]
        )
        off = np.abs(y - fitted)
        unit = np.maximum(np.median(off, axis=1) / 0.6745, noise)[:, None] * _HUBER
        w = base * np.where(off <= unit + _TINY, 1.0, unit / np.maximum(off, _TINY))
    return Laws(kind, center, lowest, scale, *best)


Grid = tuple[Floats, Floats, Floats]


def _power_grid() -> Grid:
    return _ALPHA, _ALPHA, np.full_like(_ALPHA, np.inf)


def _broken_grid(x: Floats) -> Grid:
    """All pairs of exponents, and bends between any two sizes that leave two on either side."""
    sizes = np.unique(x)
    bends = np.sqrt(sizes[1:-2] * sizes[2:-1])
    early, late, bend = np.meshgrid(_COARSE, _COARSE, bends, indexing="ij")
    return early.ravel(), late.ravel(), bend.ravel()


def _projected(
    x: Floats, y: Floats, w: Floats, grid: Grid, floor: bool
) -> tuple[Grid, Floats, Floats]:
    """The best point of the grid for each draw, with its E and A."""
    f = _falls(x[None, :], grid[0][:, None], grid[1][:, None], grid[2][:, None])
    sums = (
        w.sum(1)[:, None], w @ f.T, w @ (f * f).T, (w * y).sum(1)[:, None], (w * y) @ f.T,
        (w * y * y).sum(1)[:, None],
    )  # fmt: skip
    lowest, scale, loss = _solved(*sums, floor)
    k = loss.argmin(1)
    rows = np.arange(len(y))
    return (grid[0][k], grid[1][k], grid[2][k]), lowest[rows, k], scale[rows, k]


def _refined(
    x: Floats, y: Floats, w: Floats, best: Grid, kind: Kind, floor: bool
) -> tuple[Grid, Floats, Floats]:
    """A finer grid of the exponents around the best of each draw."""
    alpha, later, bend = (each[:, None] for each in best)
    if kind == "power":
        alpha = later = alpha * _STEP ** np.linspace(-1, 1, _REFINED)
    else:
        steps = _COARSE_STEP ** np.linspace(-1, 1, _REFINED_BENT)
        alpha = alpha * np.repeat(steps, _REFINED_BENT)
        later = later * np.tile(steps, _REFINED_BENT)
    bend = np.broadcast_to(bend, alpha.shape)
    f = _falls(x[None, None, :], alpha[:, :, None], later[:, :, None], bend[:, :, None])
    sums = (
        w.sum(1)[:, None], np.einsum("bs,bks->bk", w, f), np.einsum("bs,bks->bk", w, f * f),
        (w * y).sum(1)[:, None], np.einsum("bs,bks->bk", w * y, f), (w * y * y).sum(1)[:, None],
    )  # fmt: skip
    lowest, scale, loss = _solved(*sums, floor)
    k, rows = loss.argmin(1), np.arange(len(y))
    return (alpha[rows, k], later[rows, k], best[2]), lowest[rows, k], scale[rows, k]


def _solved(
    s: Floats, sx: Floats, sxx: Floats, sy: Floats, sxy: Floats, syy: Floats, free: bool
) -> tuple[Floats, Floats, Floats]:
    """E and A of the least squares from their sums, within E ≥ 0 and A ≥ 0, and the loss."""
    under = np.maximum(s * sxx - sx * sx, _TINY)
    scale = (s * sxy - sx * sy) / under
    floor = (sy - scale * sx) / s
    low = floor < 0 if free else np.ones_like(floor, bool)
    scale = np.where(low, sxy / sxx, scale)
    floor = np.where(low, 0.0, floor)
    flat = scale < 0  # errors are positive, so that it is not where E is held at 0
    scale = np.where(flat, 0.0, scale)
    floor = np.where(flat, sy / s, floor)
    loss = (
        syy - 2 * floor * sy - 2 * scale * sxy + floor * floor * s + 2 * floor * scale * sx
        + scale * scale * sxx
    )  # fmt: skip
    return floor, scale, loss


def profile_of_floor(
    amounts: Floats, errors: Floats, *, weights: Floats | None = None, points: int = 60
) -> tuple[Floats, Floats, tuple[float, float]]:
    """Profile likelihood of E ≥ 0 of a power law, all else at its best for each E.

    Parameters
    ----------
    amounts, errors, weights
        (sizes,) each.

    Returns
    -------
    floors, deviance, interval
        E on a grid up to the smallest error, twice the loss of log-likelihood against the best of
        them, with a noise that is profiled as well, and the E within 3.84 of it.
    """
    x, y = np.asarray(amounts, np.float64), np.asarray(errors, np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    x = x / np.exp(np.mean(np.log(x)))
    floors = np.linspace(0.0, float(y.min()), points)
    f = x[None, :] ** -_ALPHA[:, None]
    rest = y[None, :] - floors[:, None]  # (floors, sizes)
    sxx, sxy = (w * f * f).sum(1), (w * rest) @ f.T
    loss = ((w * rest * rest).sum(1)[:, None] - sxy**2 / sxx).min(1)
    deviance = len(x) * np.log(np.maximum(loss, _TINY) / max(float(loss.min()), _TINY))
    inside = floors[deviance <= _CHI]
    return floors, deviance, (float(inside[0]), float(inside[-1]))
