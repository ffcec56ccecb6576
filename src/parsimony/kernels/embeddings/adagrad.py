"""Adagrad on rows of an embedding table, fused with regularisation and projection.

N3 is the cubed 3-norm (docs/methods/embeddings.md, eq. 8), weighted like L2 by the number of
occurrences of a row in the batch; the projection constrains rows to a ball (AutoSF). The norm is
over single components or over groups of them: a row is divided into as many chunks as ``group`` has
entries, and components at the same position in the chunks of one group share a modulus, as the
real and imaginary parts of a complex number do in the paper.
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
    weight, state, gradient, row, mentions, lr, n3, l2, radius, group, low, high
):
    """Update ``weight[row[i]]`` by ``gradient[i]`` for i = low … high − 1.

    g = gradient + mentions (3 n3 |x| x + 2 l2 x);  state += g²;  x −= lr g / (√state + ε),
    where |x| is the norm of the components at the position of x in all chunks of its group;
    then x is scaled down to norm ``radius`` if it is longer (0: never).

    IN  gradient (n, d) row (n,) distinct; mentions (n,): occurrences in the batch;
        group (n_chunks,): index of the group of every chunk, below n_chunks
    OUT weight, state (n_rows, d)
    """
    d = weight.shape[1]
    chunks = group.shape[0]
    width = d // chunks
    length, square = np.empty(d, weight.dtype), np.empty(chunks, weight.dtype)
    for i in range(low, high):
        at = row[i]
        if chunks == 1:
            for k in range(d):
                length[k] = abs(weight[at, k])
        else:
            for k in range(width):
                square[:] = 0
                for j in range(chunks):
                    square[group[j]] += weight[at, k + j * width] * weight[at, k + j * width]
                for j in range(chunks):
                    length[k + j * width] = math.sqrt(square[group[j]])
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
    group: npt.NDArray[Any],
) -> None:
    """Reference implementation of :func:`adagrad_rows`."""
    x = weight[row]
    same = np.equal.outer(group, group).astype(x.dtype)
    chunks = x.reshape(len(x), len(group), -1)
    length = np.sqrt(np.einsum("ij,njk->nik", same, chunks**2)).reshape(x.shape)
    g = gradient + mentions[:, None] * (3 * n3 * length * x + 2 * l2 * x)
    state[row] += g * g
    x = x - lr * g / (np.sqrt(state[row]) + EPSILON)
    if radius > 0:
        x = x / np.maximum(1, np.linalg.norm(x, axis=1, keepdims=True) / radius)
    weight[row] = x
