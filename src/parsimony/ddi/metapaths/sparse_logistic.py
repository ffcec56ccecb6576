"""Multinomial logistic regression with an L1 penalty, on sparse features, by FISTA.

    logit_k(i) = b_k + Σ_f x_if W_fk + Σ_s z_isk w_s
    minimise  Σ_i c_i (log Σ_k exp logit_k(i) − logit_{y_i}(i)) / Σ_i c_i + λ (‖W‖₁ + ‖w‖₁)

A weight w_s is shared by all classes: its feature is a number per class (McFadden's conditional
logit). The last of these may be *stated*: they are not penalised, and not negative. Columns of x
are centred and scaled to unit variance, those of z to unit mean square per row, without ever being
made dense; the weights returned are those of the raw columns.

FISTA with line search and restarts: Beck & Teboulle, SIAM J. Imaging Sci. 2 (2009);
O'Donoghue & Candès, Found. Comput. Math. 15 (2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
GROWTH = 1.1  # of the step after each iteration, so that a cautious one is left again


class Weights(NamedTuple):
    """A model in raw columns."""

    intercept: FloatArray  # (n_classes,) b
    own: FloatArray  # (n_features, n_classes) W
    shared: FloatArray  # (n_shared,) w

    @property
    def nonzero(self) -> int:
        """How many weights are not zero."""
        return int(sum(np.count_nonzero(part) for part in self))


@dataclass(frozen=True)
class Features:
    """Sparse features of n examples.

    Attributes
    ----------
    own : csr array, shape (n, n_features)
    shared : csr array, shape (n · n_classes, n_shared)
        Row i · n_classes + k.
    """

    own: Any
    shared: Any

    def logits(self, weights: Weights) -> FloatArray:
        """(n, n_classes)."""
        n_classes = len(weights.intercept)
        by_class = (self.shared @ weights.shared).reshape(-1, n_classes)
        found: FloatArray = self.own @ weights.own + by_class + weights.intercept
        return found


class SparseLogistic:
    """The problem of one training set; solved for one penalty after the other.

    Parameters
    ----------
    features
        Of the examples, in the precision that is wanted.
    labels
        (n,) classes.
    n_classes
        K.
    cost
        (n,) weights c_i of the examples.
    stated
        How many of the last shared features are stated.
    """

    def __init__(
        self,
        features: Features,
        labels: npt.NDArray[Any],
        n_classes: int,
        cost: FloatArray,
        stated: int = 0,
    ) -> None:
        x, z = features.own, features.shared
        self._x, self._z, self._k = x, z, n_classes
        self._xt, self._zt = x.T.tocsr(), z.T.tocsr()
        self._dtype = x.dtype
        self._labels = labels.astype(np.int64)
        self._cost = (cost / cost.sum()).astype(self._dtype)
        n = max(x.shape[0], 1)
        self._mean = np.asarray(x.sum(0), np.float64).ravel() / n
        square = np.asarray(x.multiply(x).sum(0), np.float64).ravel() / n
        self._scale = _reciprocal(np.sqrt(np.maximum(square - self._mean**2, 0)))
        length = np.asarray(z.multiply(z).sum(0), np.float64).ravel() / n
        self._z_scale = _reciprocal(np.sqrt(length)).astype(self._dtype)
        self._mean, self._scale = (a.astype(self._dtype) for a in (self._mean, self._scale))
        self._cut = (n_classes, n_classes + x.shape[1] * n_classes)
        self._theta = np.zeros(self._cut[1] + z.shape[1], self._dtype)
        self._stated = len(self._theta) - stated  # where they begin
        mass = np.bincount(labels, self._cost, n_classes) + 1e-3 / (n * n_classes)
        self._theta[:n_classes] = np.log(mass / mass.sum())
        self._step = 1.0

    @property
    def largest_penalty(self) -> float:
        """The smallest λ at which every weight is zero."""
        start = self._theta.copy()
        start[self._cut[0] :] = 0
        _, gradient = self._gradient(self._logits(start))
        return float(np.abs(gradient[self._cut[0] : self._stated]).max(initial=0.0))

    def solve(self, penalty: float, *, tolerance: float = 0.05, iterations: int = 100) -> Weights:
        """Go on from the last solution to that of a penalty.

        Parameters
        ----------
        penalty
            λ.
        tolerance
            Largest violation of the optimality conditions, as a fraction of λ.
        iterations
            Most iterations.
        """
        x, y, t = self._theta, self._theta, 1.0
        at_x = at_y = self._logits(x)
        for _ in range(iterations):
            loss, gradient = self._gradient(at_y)
            while True:
                new = self._shrunk(y - self._step * gradient, self._step * penalty)
                at_new = self._logits(new)
                d = (new - y).astype(np.float64)
                bound = loss + float(gradient @ d) + float(d @ d) / (2 * self._step)
                if self._loss(at_new) <= bound + 1e-7 * abs(bound) or self._step < 1e-9:
                    break
                self._step /= 2
            violation = np.abs(d).max(initial=0.0) / self._step
            if float((y - new) @ (new - x)) > 0:
                t = 1.0
            t, before = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
            momentum = self._dtype.type((before - 1) / t)
            y, at_y = new + momentum * (new - x), at_new + momentum * (at_new - at_x)
            x, at_x = new, at_new
            self._step *= GROWTH
            if violation <= tolerance * penalty:
                break
        self._theta = x
        return self._raw(x)

    # ---- the smooth part ---------------------------------------------------------------------

    def _parts(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Intercept, W of scaled centred columns, w of scaled ones."""
        low, high = self._cut
        return theta[:low], theta[low:high].reshape(-1, self._k), theta[high:]

    def _raw(self, theta: FloatArray) -> Weights:
        b, own, shared = self._parts(theta)
        raw = own * self._scale[:, None]
        return Weights(b - self._mean @ raw, raw, shared * self._z_scale)

    def _logits(self, theta: FloatArray) -> FloatArray:
        return Features(self._x, self._z).logits(self._raw(theta))

    def _loss(self, logits: FloatArray) -> float:
        top = logits.max(1)
        total = np.log(np.exp(logits - top[:, None]).sum(1)) + top
        missed = total - logits[np.arange(len(logits)), self._labels]
        return float(self._cost.astype(np.float64) @ missed)

    def _gradient(self, logits: FloatArray) -> tuple[float, FloatArray]:
        top = logits.max(1)
        slope = np.exp(logits - top[:, None])
        total = slope.sum(1)
        own = np.arange(len(logits))
        missed = np.log(total) + top - logits[own, self._labels]
        slope /= total[:, None]
        slope[own, self._labels] -= 1
        slope *= self._cost[:, None]
        b = slope.sum(0)
        inner = (self._xt @ slope - np.outer(self._mean, b)) * self._scale[:, None]
        shared = (self._zt @ slope.ravel()) * self._z_scale
        return float(self._cost.astype(np.float64) @ missed), np.concatenate(
            [b, inner.ravel(), shared]
        ).astype(self._dtype)

    def _shrunk(self, theta: FloatArray, by: float) -> FloatArray:
        """Soft-threshold all but the intercept and what is stated, which is made positive."""
        out = theta.astype(self._dtype)
        tail = out[self._cut[0] : self._stated]
        tail[:] = np.sign(tail) * np.maximum(np.abs(tail) - self._dtype.type(by), 0)
        out[self._stated :] = np.maximum(out[self._stated :], 0)
        return out


def _reciprocal(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / x, and 0 where a column says nothing."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 1e-9)
