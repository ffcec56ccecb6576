"""The linear map of a layer with activation and dropout, forward and backward.

    ĥ = act(W m),   dropout

The activation and its derivative are applied to the rows of a product while they are in the cache.
"""

from __future__ import annotations

import numpy as np

from parsimony.kernels.dense import product
from parsimony.kernels.numerics import kernel, tanh

ACTIVATIONS = {"identity": 0, "relu": 1, "tanh": 2}


@kernel
def linear(form, x, weight, activation, out):  # type: ignore[no-untyped-def]
    """Compute activated products of rows.

    IN  form of the products (dense.py); x (n, k) weight (k, m): W transposed; activation: one of
        ``ACTIVATIONS``
    OUT out (n, m)
    """
    zero = weight.dtype.type(0)
    flat = out.reshape(out.size)
    for i in range(flat.size):
        flat[i] = zero
    product(form, x, weight, out)
    if activation == 1:
        for i in range(flat.size):
            flat[i] = max(flat[i], flat[i] * 0)  # NaN stays NaN
    elif activation == 2:
        for i in range(flat.size):
            flat[i] = tanh(flat[i])


@kernel
def linear_backward(form, x, weight, activation, out, d_out, d_x, d_weight):  # type: ignore[no-untyped-def]
    """Compute the gradients of rows and weights.

    IN    form, activation, out as in the forward pass; x (n, k) weight (m, k): W
    INOUT d_out (n, m): the gradient of the activated values, replaced by that of the products
    OUT   d_x (n, k); d_weight (m, k) is added to
    """
    zero = weight.dtype.type(0)
    value = out.reshape(out.size)
    gradient = d_out.reshape(d_out.size)
    if activation == 1:
        for i in range(value.size):
            gradient[i] = zero if value[i] <= zero else gradient[i]
    elif activation == 2:
        for i in range(value.size):
            gradient[i] *= 1 - value[i] * value[i]
    flat = d_x.reshape(d_x.size)
    for i in range(flat.size):
        flat[i] = zero
    product(form, d_out, weight, d_x)
    product(form, d_out.T, x, d_weight)


@kernel
def dropout(x, rate, seed, out):  # type: ignore[no-untyped-def]
    """Zero entries with probability ``rate`` and scale the others by 1 / (1 − rate).

    Counter-based (splitmix64 of seed + index, two entries per draw): the mask depends only on the
    seed, so that the backward pass can redraw it for the gradient.

    IN x OUT out, of x's shape, or x itself
    """
    flat = x.reshape(x.size)
    to = out.reshape(out.size)
    keep = flat[0] * 0 + 1 / (1 - rate) if flat.size else rate
    threshold = np.uint64(rate * 4294967296.0)
    for i in range(0, flat.size, 2):
        u = np.uint64(seed) + np.uint64(i) * np.uint64(0x9E3779B97F4A7C15)
        u = (u ^ (u >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        u = (u ^ (u >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        u = u ^ (u >> np.uint64(31))
        to[i] = flat[i] * (keep if (u & np.uint64(0xFFFFFFFF)) >= threshold else keep * 0)
        if i + 1 < flat.size:
            to[i + 1] = flat[i + 1] * (keep if (u >> np.uint64(32)) >= threshold else keep * 0)
