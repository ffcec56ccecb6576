"""A read-out of every depth, gated by the query relation (docs/methods/adaprop.md, eq. 5).

    g(q) = softmax over ℓ of G[q, ℓ],   f(u, q, v) = Σ_ℓ g_ℓ(q) w · h_v^ℓ

A node has a state at every depth from its first on. Nodes with equal states have equal states at
all depths before, as the identity edge adds a node's own to its messages: so one sum for every
row, carried along from depth to depth, is exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.molecules.gathers import add_rows
from parsimony.link.reasoning.workspace import matvec

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int32]


class Depth(NamedTuple):
    """What the backward pass reads of one depth."""

    gate: FloatArray  # (n_rows,) g_ℓ of each row's query relation
    score: FloatArray  # (n_rows,) w · h
    row_query: IntArray  # (n_rows,)


def softmax(logit: FloatArray) -> FloatArray:
    """Softmax of every row."""
    power = np.exp(logit - logit.max(1, keepdims=True))
    share: FloatArray = power / power.sum(1, keepdims=True)
    return share


def softmax_backward(share: FloatArray, d_share: FloatArray) -> FloatArray:
    """Gradient of the logits of :func:`softmax`."""
    d_logit: FloatArray = share * (d_share - (share * d_share).sum(1, keepdims=True))
    return d_logit


def add_depth(
    gates: FloatArray,
    number: int,
    hidden: FloatArray,
    w: FloatArray,
    row_query: IntArray,
    previous: IntArray,
    before: FloatArray,
) -> tuple[FloatArray, Depth]:
    """Sum of the scores up to this depth, and what its backward pass reads.

    Parameters
    ----------
    gates
        (n_queries, L) g of every query relation of the batch.
    hidden
        (n_rows, d) states at depth ``number``, of which row i continues ``previous[i]``.
    before
        Sums up to the depth before.
    """
    depth = Depth(gates[:, number][row_query], matvec(hidden, w), row_query)
    total = depth.gate * depth.score
    total[: len(previous)] += before[previous]
    return total, depth


def add_depth_backward(
    depth: Depth, number: int, hidden: FloatArray, d_total: FloatArray, d_gates: FloatArray,
    d_w: FloatArray,
) -> FloatArray:  # fmt: skip
    """Add the gradients of w and the gates; returns the gradient of the scores w · h."""
    d_score: FloatArray = d_total * depth.gate
    d_w += matvec(hidden.T, d_score)
    of_query = np.zeros((len(d_gates), 1), d_gates.dtype)
    add_rows(depth.row_query, (d_total * depth.score)[:, None], of_query)
    d_gates[:, number] += of_query[:, 0]
    return d_score


def to_previous(previous: IntArray, d_total: FloatArray, n_before: int) -> FloatArray:
    """Gradient of the sums up to the depth before."""
    d_before = np.zeros((n_before, 1), d_total.dtype)
    add_rows(previous, d_total[: len(previous), None], d_before)
    return d_before[:, 0]
