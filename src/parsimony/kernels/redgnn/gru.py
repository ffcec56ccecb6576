"""The GRU cell on the rows of a layer, with fused products and gates, forward and backward.

    r = σ(x_r + y_r)   z = σ(x_z + y_z)   n = tanh(x_n + r y_n)   h' = (1 − z) n + z h

with x = W_ih ĥ + b_ih and y = W_hh h + b_hh. A newly reached row has h = 0: then y = b_hh, and the
product W_hh h is skipped (docs/methods/redgnn.md, eq. 5). Such rows come last.

Rows are processed in blocks small enough that their gates stay in the cache between product and
gate. (r, z, n) and y_n are stored for the backward pass; x, y and the gradients of the gates exist
only per block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.dense import product
from parsimony.kernels.numerics import kernel, sigmoid, tanh

FloatArray = npt.NDArray[np.floating[Any]]

BLOCK = 96  # rows: 16 tiles


@kernel
def gru_forward(form, dim, x, hidden, previous, w_ih, w_hh, b_ih, b_hh, gate, y_n, out):  # type: ignore[no-untyped-def]
    """Compute the new states of the rows.

    IN  form of the products and dim: ``constant`` of d (dense.py); x (n_rows, d) inputs; hidden
        (n_sources, d) old states, of which row i continues ``previous[i]`` (n_old,); w_ih, w_hh
        (d, 3 d): W_ih and W_hh transposed
    OUT gate (n_rows, 3 d) r, z, n; y_n (n_old, d); out (n_rows, d)
    """
    d = len(dim)
    n_rows, n_old = len(x), len(previous)
    state = np.empty((BLOCK, d), x.dtype)
    bias = b_ih.copy()
    for k in range(2 * d):
        bias[k] += b_hh[k]
    b_n = b_hh[2 * d :]
    for begin in range(0, n_rows, BLOCK):
        end = min(begin + BLOCK, n_rows)
        old = max(min(end, n_old) - begin, 0)
        g = gate[begin:end]
        for i in range(end - begin):
            for k in range(3 * d):
                g[i, k] = bias[k]
        product(form, x[begin:end], w_ih, g)
        if old:
            y = y_n[begin : begin + old]
            for i in range(old):
                h = hidden[previous[begin + i]]
                for k in range(d):
                    state[i, k] = h[k]
                for k in range(d):
                    y[i, k] = b_n[k]
            product(form, state[:old], w_hh[:, : 2 * d], g[:old, : 2 * d])
            product(form, state[:old], w_hh[:, 2 * d :], y)
        # Short loops over few arrays: LLVM vectorises a loop only if it needs few run-time checks
        # for overlapping arrays.
        for i in range(end - begin):
            row = g[i]
            n = row[2 * d :]
            other = y_n[begin + i] if i < old else b_n
            for k in range(2 * d):
                row[k] = sigmoid(row[k])
            for k in range(d):
                n[k] += row[k] * other[k]
            for k in range(d):
                n[k] = tanh(n[k])
            z = row[d : 2 * d]
            to = out[begin + i]
            if i < old:
                for k in range(d):
                    to[k] = n[k] + z[k] * (state[i, k] - n[k])
            else:
                for k in range(d):
                    to[k] = n[k] - z[k] * n[k]


@kernel
def gru_backward(  # type: ignore[no-untyped-def]
    form, dim, x, hidden, previous, w_ih, w_hh, b_hh, gate, y_n, d_out,
    d_x, d_hidden, d_w_ih, d_w_hh, d_b_ih, d_b_hh,
):  # fmt: skip
    """Compute the gradients of inputs, old states and weights.

    IN  as in the forward pass, but w_ih, w_hh (3 d, d); d_out (n_rows, d)
    OUT d_x (n_rows, d); added to: d_hidden (n_sources, d), d_w_ih, d_w_hh (3 d, d), d_b_ih,
        d_b_hh (3 d,)
    """
    d = len(dim)
    n_rows, n_old = len(x), len(previous)
    one = b_hh.dtype.type(1)
    zero = b_hh.dtype.type(0)
    state = np.empty((BLOCK, d), x.dtype)
    d_gate = np.empty((BLOCK, 3 * d), x.dtype)
    d_y = np.empty((BLOCK, d), x.dtype)  # for y_n; y_r and y_z have the gradients of x_r and x_z
    d_old = np.empty((BLOCK, d), x.dtype)
    for begin in range(0, n_rows, BLOCK):
        end = min(begin + BLOCK, n_rows)
        old = max(min(end, n_old) - begin, 0)
        for i in range(old):
            h = hidden[previous[begin + i]]
            for k in range(d):
                state[i, k] = h[k]
        for i in range(end - begin):
            g = d_gate[i]
            row = gate[begin + i]
            to = d_out[begin + i]
            other = y_n[begin + i] if i < old else b_hh[2 * d :]
            d_other = d_y[i]
            if i < old:
                for k in range(d):
                    d_old[i, k] = to[k] * row[d + k]
                for k in range(d):
                    g[d + k] = state[i, k] - row[2 * d + k]
            else:
                for k in range(d):
                    g[d + k] = -row[2 * d + k]
            for k in range(d):
                z = row[d + k]
                n = row[2 * d + k]
                d_n = to[k] * (one - z)
                g[d + k] *= d_n * z
                g[2 * d + k] = d_n * (one - n * n)
            for k in range(d):
                r = row[k]
                d_other[k] = g[2 * d + k] * r
                g[k] = d_other[k] * other[k] * (one - r)
            for k in range(3 * d):
                d_b_ih[k] += g[k]
            for k in range(2 * d):
                d_b_hh[k] += g[k]
            for k in range(d):
                d_b_hh[2 * d + k] += d_other[k]
        g = d_gate[: end - begin]
        to = d_x[begin:end]
        for i in range(end - begin):
            for k in range(d):
                to[i, k] = zero
        product(form, g, w_ih, to)
        product(form, g.T, x[begin:end], d_w_ih)
        if old:
            g = d_gate[:old]
            product(form, g[:, : 2 * d], w_hh[: 2 * d], d_old[:old])
            product(form, d_y[:old], w_hh[2 * d :], d_old[:old])
            product(form, g[:, : 2 * d].T, state[:old], d_w_hh[: 2 * d])
            product(form, d_y[:old].T, state[:old], d_w_hh[2 * d :])
            for i in range(old):
                to_state = d_hidden[previous[begin + i]]
                for k in range(d):
                    to_state[k] += d_old[i, k]


def gru_reference(x: FloatArray, y: FloatArray, old: FloatArray) -> FloatArray:
    """Reference implementation: the new states, with state zero for newly reached rows."""
    x_r, x_z, x_n = np.split(x, 3, axis=1)
    y_r, y_z, y_n = np.split(y, 3, axis=1)
    r = 1 / (1 + np.exp(-(x_r + y_r)))
    z = 1 / (1 + np.exp(-(x_z + y_z)))
    n = np.tanh(x_n + r * y_n)
    return np.asarray((1 - z) * n + z * old)
