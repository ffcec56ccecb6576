"""The gates of the GRU cell, fused, forward and backward.

    r = σ(x_r + y_r)   z = σ(x_z + y_z)   n = tanh(x_n + r y_n)   h' = (1 − z) n + z h

with x = W_ih ĥ + b_ih and y = W_hh h + b_hh. A row that was just reached has h = 0: then y = b_hh,
and the product W_hh h is not made (design.md §7.3). Such rows stand last.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel, sigmoid, tanh

FloatArray = npt.NDArray[np.floating[Any]]


class GRUKernels(NamedTuple):
    """The compiled gates for one dimension."""

    forward: Callable[..., None]
    backward: Callable[..., None]


@cache
def gru_kernels(dim: int) -> GRUKernels:
    """Compile the gates for ``dim``.

    ``forward(x, y, b_ih, b_hh, old, out)`` with x = W_ih ĥ and y = W_hh h, without biases

    IN    b_ih, b_hh (3 dim,) old (n_old, dim) states of the rows that have one
    INOUT x (n_rows, 3 dim) becomes (r, z, n); y (n_old, 3 dim) the last third gets its bias
    OUT   out (n_rows, dim)

    ``backward(gate, y, b_hh, old, d_out, d_old, d_b_ih, d_b_hh)``

    IN    b_hh, old as in forward; d_out (n_rows, dim)
    INOUT gate (n_rows, 3 dim) (r, z, n), becomes d_x; y (n_old, 3 dim), becomes d_y
    OUT   d_old (n_old, dim) the direct part z · d_out; d_b_ih, d_b_hh (3 dim,) are added to
    """
    d = dim

    # Several short loops over few arrays each: LLVM vectorises a loop only while the run-time
    # checks that its arrays do not overlap stay few.
    @kernel
    def forward(x, y, b_ih, b_hh, old, out):  # type: ignore[no-untyped-def]
        n_old = old.shape[0]
        both = b_ih + b_hh
        b_n = b_hh[2 * d :]
        b_in = b_ih[2 * d :]
        for i in range(out.shape[0]):
            rz = x[i, : 2 * d]
            n = x[i, 2 * d :]
            z = x[i, d : 2 * d]
            h = out[i]
            if i < n_old:
                other = y[i]
                y_n = y[i, 2 * d :]
                state = old[i]
                for k in range(2 * d):
                    rz[k] = sigmoid(rz[k] + other[k] + both[k])
                for k in range(d):
                    y_n[k] += b_n[k]
                for k in range(d):
                    n[k] += rz[k] * y_n[k]
                for k in range(d):
                    n[k] = tanh(n[k] + b_in[k])
                for k in range(d):
                    h[k] = state[k] - n[k]
                for k in range(d):
                    h[k] *= z[k]
                for k in range(d):
                    h[k] += n[k]
            else:
                for k in range(2 * d):
                    rz[k] = sigmoid(rz[k] + both[k])
                for k in range(d):
                    n[k] += rz[k] * b_n[k]
                for k in range(d):
                    n[k] = tanh(n[k] + b_in[k])
                for k in range(d):
                    h[k] = n[k] - z[k] * n[k]

    @kernel
    def backward(gate, y, b_hh, old, d_out, d_old, d_b_ih, d_b_hh):  # type: ignore[no-untyped-def]
        n_old = old.shape[0]
        one = b_hh[0] * 0 + 1
        for i in range(d_out.shape[0]):
            x = gate[i]
            d_h = d_out[i]
            if i < n_old:
                other = y[i]
                state = old[i]
                direct = d_old[i]
                for k in range(d):
                    r = x[k]
                    z = x[d + k]
                    n = x[2 * d + k]
                    d_n = d_h[k] * (one - z) * (one - n * n)
                    d_z = d_h[k] * (state[k] - n) * z * (one - z)
                    d_r = d_n * other[2 * d + k] * r * (one - r)
                    direct[k] = d_h[k] * z
                    x[k] = d_r
                    x[d + k] = d_z
                    x[2 * d + k] = d_n
                    other[k] = d_r
                    other[d + k] = d_z
                    other[2 * d + k] = d_n * r
                for k in range(3 * d):
                    d_b_ih[k] += x[k]
                    d_b_hh[k] += other[k]
            else:
                for k in range(d):
                    r = x[k]
                    z = x[d + k]
                    n = x[2 * d + k]
                    d_n = d_h[k] * (one - z) * (one - n * n)
                    x[k] = d_n * b_hh[2 * d + k] * r * (one - r)
                    x[d + k] = -d_h[k] * n * z * (one - z)
                    x[2 * d + k] = d_n
                    d_b_hh[2 * d + k] += d_n * r
                for k in range(2 * d):
                    d_b_hh[k] += x[k]
                for k in range(3 * d):
                    d_b_ih[k] += x[k]

    return GRUKernels(forward, backward)


def gru_reference(x: FloatArray, y: FloatArray, old: FloatArray) -> FloatArray:
    """The readable twin: the new state, all rows with a state (zero where just reached)."""
    x_r, x_z, x_n = np.split(x, 3, axis=1)
    y_r, y_z, y_n = np.split(y, 3, axis=1)
    r = 1 / (1 + np.exp(-(x_r + y_r)))
    z = 1 / (1 + np.exp(-(x_z + y_z)))
    n = np.tanh(x_n + r * y_n)
    return np.asarray((1 - z) * n + z * old)


@kernel
def activate(x, kind):  # type: ignore[no-untyped-def]
    """In place: 0 identity, 1 ReLU, 2 tanh."""
    flat = x.reshape(x.size)
    if kind == 1:
        for i in range(flat.size):
            flat[i] = max(flat[i], flat[i] * 0)
    elif kind == 2:
        for i in range(flat.size):
            flat[i] = tanh(flat[i])


@kernel
def activate_backward(x, d_x, kind):  # type: ignore[no-untyped-def]
    """In place on d_x, from the activated values x."""
    flat = x.reshape(x.size)
    grad = d_x.reshape(d_x.size)
    if kind == 1:
        for i in range(flat.size):
            if flat[i] <= 0:
                grad[i] = 0
    elif kind == 2:
        for i in range(flat.size):
            grad[i] *= 1 - flat[i] * flat[i]


@kernel
def dropout(x, mask, rate, seed):  # type: ignore[no-untyped-def]
    """Zero entries with probability ``rate`` and scale the others by 1 / (1 − rate).

    Counter-based (splitmix64 of seed + index, two entries a draw), so that a mask depends on the
    seed alone. INOUT x; OUT mask, of x's shape: the factor of every entry.
    """
    flat = x.reshape(x.size)
    factor = mask.reshape(mask.size)
    keep = flat[0] * 0 + 1 / (1 - rate) if flat.size else rate
    threshold = np.uint64(rate * 4294967296.0)
    for i in range(0, flat.size, 2):
        u = np.uint64(seed) + np.uint64(i) * np.uint64(0x9E3779B97F4A7C15)
        u = (u ^ (u >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        u = (u ^ (u >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        u = u ^ (u >> np.uint64(31))
        m = keep if (u & np.uint64(0xFFFFFFFF)) >= threshold else keep * 0
        factor[i] = m
        flat[i] *= m
        if i + 1 < flat.size:
            m = keep if (u >> np.uint64(32)) >= threshold else keep * 0
            factor[i + 1] = m
            flat[i + 1] *= m
