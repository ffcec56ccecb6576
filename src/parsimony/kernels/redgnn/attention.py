"""Attention, message and aggregation of the RED-GNN layer in one pass over the edges.

    α_e = σ( w · ReLU(a_s + p_r) + b ),   a_s = W_s h_s + W_q e_q + b_q,   p_r = W_r e_r
    m_i = Σ_{e = (s, r) → i} α_e (h_s + e_r)

(docs/methods/redgnn.md, eqs. 2, 3; RED-GNN, WWW 2022, eq. 5). The projections a and p are computed
once per row and once per relation, so that an edge costs a few additions instead of three matrix
products. No (edges × dim) array is written; of the forward pass only α, one number per edge, is
kept, and the backward pass recomputes the rest.

The inner loops have constant length: one compiled specialisation per pair (dim, attention_dim).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel, sigmoid

FloatArray = npt.NDArray[np.floating[Any]]


class AttentionKernels(NamedTuple):
    """The compiled forward and backward pass for one pair of dimensions."""

    forward: Callable[..., None]
    backward: Callable[..., None]


@cache
def attention_kernels(dim: int, attention_dim: int) -> AttentionKernels:
    """Compile the pair of passes for ``dim`` and ``attention_dim``.

    ``forward(indptr, source, relation, a, p, w, b, hidden, embedding, alpha, out)``

    IN  indptr (n_rows + 1,) source, relation (n_edges,)
        a (n_sources, attention_dim) p (n_relations, attention_dim) w (attention_dim,) b (1,)
        hidden (n_sources, dim) embedding (n_relations, dim)
    OUT alpha (n_edges,) out (n_rows, dim)

    ``backward(indptr, source, relation, a, p, hidden, embedding, alpha, d_out,
    c_a, c_p, d_b, d_hidden, d_embedding)`` adds to every array after ``d_out``;
    :func:`projection_gradients` computes d_a, d_p and d_w from c_a and c_p.
    """
    d, a_dim = dim, attention_dim

    @kernel
    def forward(indptr, source, relation, a, p, w, b, hidden, embedding, alpha, out):  # type: ignore[no-untyped-def]
        zero = b[0] * 0
        # Three passes over a block's edges: gathered logits, sigmoids on contiguous memory (where
        # they vectorise), the weighted sum.
        for e in range(indptr[0], indptr[-1]):
            s = source[e]
            r = relation[e]
            logit = b[0]
            for k in range(a_dim):
                logit += w[k] * max(a[s, k] + p[r, k], zero)
            alpha[e] = logit
        for e in range(indptr[0], indptr[-1]):
            alpha[e] = sigmoid(alpha[e])
        for i in range(indptr.shape[0] - 1):
            m = out[i]
            for k in range(d):
                m[k] = zero
            for e in range(indptr[i], indptr[i + 1]):
                weight = alpha[e]
                h = hidden[source[e]]
                x = embedding[relation[e]]
                for k in range(d):
                    m[k] += weight * (h[k] + x[k])

    @kernel
    def backward(  # type: ignore[no-untyped-def]
        indptr, source, relation, a, p, hidden, embedding, alpha, d_out,
        c_a, c_p, d_b, d_hidden, d_embedding,
    ):  # fmt: skip
        zero = d_b[0] * 0
        one = zero + 1
        total = zero
        for i in range(indptr.shape[0] - 1):
            g = d_out[i]
            for e in range(indptr[i], indptr[i + 1]):
                s = source[e]
                r = relation[e]
                weight = alpha[e]
                h = hidden[s]
                x = embedding[r]
                dh = d_hidden[s]
                dx = d_embedding[r]
                d_alpha = zero
                for k in range(d):
                    d_alpha += g[k] * (h[k] + x[k])
                for k in range(d):
                    dh[k] += weight * g[k]
                for k in range(d):
                    dx[k] += weight * g[k]
                d_logit = d_alpha * weight * (one - weight)
                total += d_logit
                # branch-free, as half of the units are inactive, at random
                for k in range(a_dim):
                    c = d_logit if a[s, k] + p[r, k] > zero else zero
                    c_a[s, k] += c
                    c_p[r, k] += c
        d_b[0] += total

    return AttentionKernels(forward, backward)


def projection_gradients(
    a: FloatArray, p: FloatArray, w: FloatArray, c_a: FloatArray, c_p: FloatArray
) -> FloatArray:
    """Turn the sums of ``backward`` into gradients: c_a into d_a, c_p into d_p; returns d_w.

    c_a[s, k] is Σ ∂L/∂logit over the edges of source s whose unit k is active, c_p[r, k] the same
    over the edges of relation r. Then d_a = c_a w, d_p = c_p w, and as an active unit is a_s + p_r,

        d_w = Σ_s a_s c_a[s] + Σ_r p_r c_p[r]

    so that edges access neither w nor d_w.
    """
    with np.errstate(all="ignore"):  # of weights that diverged, which the trainer refuses
        d_w: FloatArray = (a * c_a).sum(0) + (p * c_p).sum(0)
    c_a *= w
    c_p *= w
    return d_w


def attention_reference(
    indptr: npt.NDArray[np.int64],
    source: npt.NDArray[np.int32],
    relation: npt.NDArray[np.int32],
    a: FloatArray,
    p: FloatArray,
    w: FloatArray,
    b: FloatArray,
    hidden: FloatArray,
    embedding: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Reference implementation of the forward pass: (alpha, out) with materialised messages."""
    logit = np.maximum(a[source] + p[relation], 0) @ w + b[0]
    alpha = 1 / (1 + np.exp(-logit))
    message = alpha[:, None] * (hidden[source] + embedding[relation])
    out = np.zeros((len(indptr) - 1, hidden.shape[1]), hidden.dtype)
    np.add.at(out, np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), message)
    return alpha, out


def attention_backward_reference(
    indptr: npt.NDArray[np.int64],
    source: npt.NDArray[np.int32],
    relation: npt.NDArray[np.int32],
    a: FloatArray,
    p: FloatArray,
    w: FloatArray,
    hidden: FloatArray,
    embedding: FloatArray,
    alpha: FloatArray,
    d_out: FloatArray,
) -> tuple[FloatArray, ...]:
    """Reference of the backward pass: (d_a, d_p, d_w, d_b, d_hidden, d_embedding)."""
    g = d_out[np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))]
    z = a[source] + p[relation]
    d_alpha = (g * (hidden[source] + embedding[relation])).sum(1)
    d_logit = d_alpha * alpha * (1 - alpha)
    d_z = d_logit[:, None] * w * (z > 0)
    d_a, d_p = np.zeros_like(a), np.zeros_like(p)
    d_hidden, d_embedding = np.zeros_like(hidden), np.zeros_like(embedding)
    np.add.at(d_a, source, d_z)
    np.add.at(d_p, relation, d_z)
    np.add.at(d_hidden, source, alpha[:, None] * g)
    np.add.at(d_embedding, relation, alpha[:, None] * g)
    d_w = (d_logit[:, None] * np.maximum(z, 0)).sum(0)
    return d_a, d_p, d_w, d_logit.sum(keepdims=True), d_hidden, d_embedding
