"""Adagrad over rows of a table: one pass with the regularisers and the projection.

N3 is the cubed 3-norm (Lacroix et al., ICML 2018, eq. 8, over the real numbers), weighted like L2
by how often a batch mentions a row; the projection keeps rows in a ball (AutoSF).
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
    weight, state, gradient, row, mentions, lr, n3, l2, radius, low, high
):
    """Update ``weight[row[i]]`` by ``gradient[i]`` for i = low … high − 1.

    g = gradient + mentions (3 n3 |x| x + 2 l2 x);  state += g²;  x −= lr g / (√state + ε);
    then x is shrunk to norm ``radius`` where it is longer (0: never).

    IN  gradient (n, d) row (n,) distinct; mentions (n,)
    OUT weight, state (n_rows, d)
    """
    d = weight.shape[1]
    for i in range(low, high):
        at = row[i]
        cubic = 3 * n3 * mentions[i]
        linear = 2 * l2 * mentions[i]
        norm = weight[at, 0] * 0
        for k in range(d):
            x = weight[at, k]
            g = gradient[i, k] + cubic * abs(x) * x + linear * x
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
) -> None:
    """The readable twin."""
    x = weight[row]
    g = gradient + mentions[:, None] * (3 * n3 * np.abs(x) * x + 2 * l2 * x)
    state[row] += g * g
    x = x - lr * g / (np.sqrt(state[row]) + EPSILON)
    if radius > 0:
        x = x / np.maximum(1, np.linalg.norm(x, axis=1, keepdims=True) / radius)
    weight[row] = x
