"""Attention, message and aggregation of the RED-GNN layer on the accelerator.

The function is that of :mod:`parsimony.kernels.redgnn.attention`, whose references are the oracle
here as well; no (edges × dim) array is written. A program computes one row: it walks the edges that
lead to it, so that the forward pass needs no atomic addition. The backward pass walks them again,
and adds what it finds to sources and relations atomically.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["relational_sum"]


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    indptr, source, relation, a, p, w, b, hidden, embedding, alpha, out,
    D: tl.constexpr, A: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_A: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0)
    k, j = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_A)
    in_d, in_a = k < D, j < A
    weights, bias = tl.load(w + j, mask=in_a, other=0.0), tl.load(b)
    m = tl.zeros((BLOCK_D,), out.dtype.element_ty)
    for e in range(tl.load(indptr + i), tl.load(indptr + i + 1)):
        s, r = tl.load(source + e), tl.load(relation + e)
        z = tl.load(a + s * A + j, mask=in_a, other=0.0)
        z += tl.load(p + r * A + j, mask=in_a, other=0.0)
        logit = tl.sum(weights * tl.maximum(z, 0.0), 0) + bias
        share = 1.0 / (1.0 + tl.exp(-logit))
        tl.store(alpha + e, share)
        x = tl.load(hidden + s * D + k, mask=in_d, other=0.0)
        m += share * (x + tl.load(embedding + r * D + k, mask=in_d, other=0.0))
    tl.store(out + i * D + k, m, mask=in_d)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    indptr, source, relation, a, p, w, hidden, embedding, alpha, d_alpha, d_out,
    d_a, d_p, d_w, d_b, d_hidden, d_embedding,
    D: tl.constexpr, A: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_A: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0)
    k, j = tl.arange(0, BLOCK_D), tl.arange(0, BLOCK_A)
    in_d, in_a = k < D, j < A
    weights = tl.load(w + j, mask=in_a, other=0.0)
    g = tl.load(d_out + i * D + k, mask=in_d, other=0.0)
    of_weights = tl.zeros((BLOCK_A,), d_w.dtype.element_ty)
    of_bias = tl.sum(of_weights, 0)
    for e in range(tl.load(indptr + i), tl.load(indptr + i + 1)):
        s, r, share = tl.load(source + e), tl.load(relation + e), tl.load(alpha + e)
        x = tl.load(hidden + s * D + k, mask=in_d, other=0.0)
        x += tl.load(embedding + r * D + k, mask=in_d, other=0.0)
        d_logit = (tl.sum(g * x, 0) + tl.load(d_alpha + e)) * share * (1.0 - share)
        z = tl.load(a + s * A + j, mask=in_a, other=0.0)
        z += tl.load(p + r * A + j, mask=in_a, other=0.0)
        d_z = tl.where(z > 0, d_logit * weights, 0.0)
        of_weights += d_logit * tl.maximum(z, 0.0)
        of_bias += d_logit
        tl.atomic_add(d_a + s * A + j, d_z, mask=in_a)
        tl.atomic_add(d_p + r * A + j, d_z, mask=in_a)
        tl.atomic_add(d_hidden + s * D + k, share * g, mask=in_d)
        tl.atomic_add(d_embedding + r * D + k, share * g, mask=in_d)
    tl.atomic_add(d_w + j, of_weights, mask=in_a)
    tl.atomic_add(d_b, of_bias)


class _RelationalSum(torch.autograd.Function):
    """Both passes, for autograd."""

    @staticmethod
    def forward(ctx: Any, indptr: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention of every edge, and the sum of every row."""
        source, relation, *floats = (tensor.contiguous() for tensor in rest)
        a, p, w, b, hidden, embedding = floats
        n, dim = len(indptr) - 1, hidden.shape[1]
        alpha, out = hidden.new_empty(len(source)), hidden.new_zeros(n, dim)
        ctx.sizes = _sizes(dim, len(w))
        if n:
            _forward[(n,)](indptr, source, relation, *floats, alpha, out, *ctx.sizes)
        ctx.save_for_backward(indptr, source, relation, a, p, w, b, hidden, embedding, alpha)
        return alpha, out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all numbers; indices have none."""
        d_alpha, d_out = (tensor.contiguous() for tensor in gradients)
        indptr, source, relation, a, p, w, b, hidden, embedding, alpha = ctx.saved_tensors
        found = [torch.zeros_like(x) for x in (a, p, w, b, hidden, embedding)]
        if len(indptr) > 1:
            _backward[(len(indptr) - 1,)](
                indptr, source, relation, a, p, w, hidden, embedding, alpha, d_alpha, d_out,
                *found, *ctx.sizes,
            )  # fmt: skip
        return None, None, None, *found


def _sizes(dim: int, attention_dim: int) -> tuple[int, int, int, int]:
    """Both dimensions, and the powers of two that hold them."""
    blocks = (triton.next_power_of_2(dim), triton.next_power_of_2(attention_dim))
    return dim, attention_dim, *blocks


def relational_sum(
    indptr: Tensor, source: Tensor, relation: Tensor, a: Tensor, p: Tensor, w: Tensor, b: Tensor,
    hidden: Tensor, embedding: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return alpha (n_edges,) and the sums (n_rows, dim), with gradients.

    Parameters
    ----------
    indptr, source, relation
        Edges by the row that they lead to: (n_rows + 1,), (n_edges,), (n_edges,), int64.
    a, p, w, b
        Projections of sources and relations (·, attention_dim), weights (attention_dim,), bias
        (1,).
    hidden, embedding
        States of the sources and vectors of the relations, (·, dim).
    """
    found: tuple[Tensor, Tensor] = _RelationalSum.apply(
        indptr, source, relation, a, p, w, b, hidden, embedding
    )
    return found
