"""Adagrad over rows of a table: one pass with the regularisers and the projection.

N3 is the cubed 3-norm (Lacroix et al., ICML 2018, eq. 8), weighted like L2 by how often a batch
mentions a row; the projection keeps rows in a ball (AutoSF). The norm is over numbers or over the
lengths of several numbers together: ``joined`` = 2 takes the row's halves as real and imaginary
parts, as the paper does for ComplEx, 4 its quarters as those of a quaternion.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.floating[Any]]

EPSILON = 1e-10


@kernel
def adagrad_rows(  # type: ignore[no-untyped-def]
    weight, state, gradient, row, mentions, lr, n3, l2, radius, joined, low, high
):
    """Update ``weight[row[i]]`` by ``gradient[i]`` for i = low … high − 1.

    g = gradient + mentions (3 n3 |x| x + 2 l2 x);  state += g²;  x −= lr g / (√state + ε),
    where |x| is the length of the ``joined`` numbers that stand d / joined apart;
    then x is shrunk to norm ``radius`` where it is longer (0: never).

    IN  gradient (n, d) row (n,) distinct; mentions (n,)
    OUT weight, state (n_rows, d)
    """
    d = weight.shape[1]
    width = d // joined
    length = np.empty(d, weight.dtype)
    for i in range(low, high):
        at = row[i]
        if joined == 1:
            for k in range(d):
                length[k] = abs(weight[at, k])
        else:
            for k in range(width):
                square = weight[at, k] * weight[at, k]
                for j in range(1, joined):
                    square += weight[at, k + j * width] * weight[at, k + j * width]
                square = math.sqrt(square)
                for j in range(joined):
                    length[k + j * width] = square
        cubic = 3 * n3 * mentions[i]
        linear = 2 * l2 * mentions[i]
        norm = weight[at, 0] * 0
        for k in range(d):
            x = weight[at, k]
            g = gradient[i, k] + cubic * length[k] * x + linear * x
            s = state[at, k] + g * g
            state[at, k] = s
            x -= lr * g / (math.sqrt(s) + EPSILON)
            weight[at, k] = x
            norm += x * x
        if radius > 0 and norm > radius * radius:
            shrink = radius / math.sqrt(norm)
            for k in range(d):
                weight[at, k] *= shrink


def adagrad_rows_reference(
    weight: FloatArray,
    state: FloatArray,
    gradient: FloatArray,
    row: npt.NDArray[Any],
    mentions: FloatArray,
    lr: float,
    n3: float,
    l2: float,
    radius: float,
    joined: int,
) -> None:
    """The readable twin."""
    x = weight[row]
    length = np.linalg.norm(x.reshape(len(x), joined, -1), axis=1)
    length = np.tile(length, joined)
    g = gradient + mentions[:, None] * (3 * n3 * length * x + 2 * l2 * x)
    state[row] += g * g
    x = x - lr * g / (np.sqrt(state[row]) + EPSILON)
    if radius > 0:
        x = x / np.maximum(1, np.linalg.norm(x, axis=1, keepdims=True) / radius)
    weight[row] = x
