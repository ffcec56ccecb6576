"""Features exp(−|x_i − y_j|) of given pairs, in one pass, with their gradients.

PAR and PACIA compute the relation of two molecules from the elementwise feature exp(−|x_i − y_j|)
(docs/methods/par.md, eq. 3). As it is symmetric, only the given pairs are computed: no n × n × d
tensor, and no gathered copies of x and y.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import exp, kernel

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


@kernel
def pair_features(first, second, x, y, out):  # type: ignore[no-untyped-def]
    """Write the features of pairs.

    IN  first, second (m,) rows of x and of y; x (n_x, d) y (n_y, d)
    OUT out (m, d)
    """
    d = x.shape[1]
    for e in range(first.shape[0]):
        a = x[first[e]]
        b = y[second[e]]
        o = out[e]
        for k in range(d):
            o[k] = exp(-abs(a[k] - b[k]))


@kernel
def pair_features_backward(first, second, x, y, out, d_out, d_x, d_y):  # type: ignore[no-untyped-def]
    """Add the gradients to d_x and d_y, which may be the same array where x and y are."""
    d = x.shape[1]
    zero = x[0, 0] * 0
    for e in range(first.shape[0]):
        a = x[first[e]]
        b = y[second[e]]
        d_a = d_x[first[e]]
        d_b = d_y[second[e]]
        o = out[e]
        g = d_out[e]
        for k in range(d):
            # d/da exp(−|a − b|) = −sign(a − b) exp(−|a − b|), 0 where they are equal
            step = g[k] * o[k]
            step = -step if a[k] > b[k] else (step if a[k] < b[k] else zero)
            d_a[k] += step
            d_b[k] -= step


def pair_features_reference(
    first: IntArray, second: IntArray, x: FloatArray, y: FloatArray
) -> FloatArray:
    """Reference implementation of :func:`pair_features`."""
    out: FloatArray = np.exp(-np.abs(x[first] - y[second]))
    return out


def pair_features_backward_reference(
    first: IntArray, second: IntArray, x: FloatArray, y: FloatArray, d_out: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Reference implementation of :func:`pair_features_backward`: (d_x, d_y)."""
    difference = x[first] - y[second]
    step = -np.sign(difference) * np.exp(-np.abs(difference)) * d_out
    d_x, d_y = np.zeros_like(x), np.zeros_like(y)
    np.add.at(d_x, first, step)
    np.add.at(d_y, second, -step)
    return d_x, d_y
