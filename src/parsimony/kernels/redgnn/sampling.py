"""AdaProp's top-K among the newly reached nodes of a step.

All nodes kept before stay; among a query's new nodes, the K with the largest logits are kept
(docs/methods/adaprop.md, eqs. 1–4). In training Gumbel noise is added to the logits (τ = 1). The
straight-through factor (1 − stopgrad(p) + p), p = softmax over the new nodes, is 1 in value; its
gradient reaches the sampler through ``top_k_backward``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.floating[Any]]


@kernel
def top_k_new(before_ptr, ptr, row, logit, noise, k, keep):  # type: ignore[no-untyped-def]
    """Mark the nodes to keep.

    IN  before_ptr, ptr (n_queries + 1,) frontier before and after the step; row (n_nodes,)
        logit (n_rows,); noise (n_nodes,) added to the logits, or empty; k
    OUT keep (n_nodes,) uint8. Ties at the threshold: the earlier node is kept.
    """
    kept = 0
    for b in range(ptr.shape[0] - 1):
        first_new = ptr[b] + before_ptr[b + 1] - before_ptr[b]
        for i in range(ptr[b], first_new):
            keep[i] = 1
        kept += first_new - ptr[b]
        n_new = ptr[b + 1] - first_new
        if n_new <= k:
            for i in range(first_new, ptr[b + 1]):
                keep[i] = 1
            kept += n_new
            continue
        value = np.empty(n_new, logit.dtype)
        for i in range(n_new):
            value[i] = logit[row[first_new + i]]
            if noise.size:
                value[i] += noise[first_new + i]
        threshold = np.partition(value, n_new - k)[n_new - k]
        left = k
        for i in range(n_new):
            keep[first_new + i] = value[i] > threshold
            left -= value[i] > threshold
        for i in range(n_new):
            if left and value[i] == threshold:
                keep[first_new + i] = 1
                left -= 1
        kept += k
    return kept


@kernel
def top_k_backward(before_ptr, ptr, row, logit, noise, keep, share, d_logit):  # type: ignore[no-untyped-def]
    """Compute the gradient of the straight-through factors with respect to the logits.

    IN  as above; share (n_rows,) ∂L/∂p of one kept new node of the row: ⟨∂L/∂ĥ, ĥ⟩ of the row
        divided by the number of its kept new nodes (equal states are indistinguishable)
    OUT d_logit (n_rows,) is added to: p_u (share_u [kept] − Σ_v kept p_v share_v)
    """
    for b in range(ptr.shape[0] - 1):
        first_new = ptr[b] + before_ptr[b + 1] - before_ptr[b]
        top = -np.inf
        for i in range(first_new, ptr[b + 1]):
            x = np.float64(logit[row[i]])
            if noise.size:
                x += noise[i]
            top = max(top, x)
        z = 0.0
        mean = 0.0
        for i in range(first_new, ptr[b + 1]):
            x = np.float64(logit[row[i]])
            if noise.size:
                x += noise[i]
            p = np.exp(x - top)
            z += p
            if keep[i]:
                mean += p * share[row[i]]
        if z == 0:
            continue
        mean /= z
        for i in range(first_new, ptr[b + 1]):
            x = np.float64(logit[row[i]])
            if noise.size:
                x += noise[i]
            p = np.exp(x - top) / z
            d_logit[row[i]] += p * ((share[row[i]] if keep[i] else 0.0) - mean)


@kernel
def scatter_kept(kept_rows, members, x, d_kept, d_x, share):  # type: ignore[no-untyped-def]
    """Scatter the gradients of selected rows, and compute the factors' cotangents.

    IN  kept_rows (n_kept,) members (n_rows,) number of kept new nodes per row; x (n_rows, dim) ĥ
        d_kept (n_kept, dim) gradient of the kept rows
    OUT d_x (n_rows, dim) d_kept at the kept rows, 0 elsewhere; share (n_rows,) ⟨d_x, x⟩ per member
    """
    zero = x[0, 0] * 0
    for i in range(d_x.shape[0]):
        row = d_x[i]
        for k in range(row.shape[0]):
            row[k] = zero
        share[i] = zero
    for j in range(kept_rows.shape[0]):
        i = kept_rows[j]
        row = d_x[i]
        gradient = d_kept[j]
        value = x[i]
        dot = zero
        for k in range(row.shape[0]):
            row[k] = gradient[k]
            dot += gradient[k] * value[k]
        if members[i]:
            share[i] = dot / members[i]


@kernel
def factor_gradients(kept_rows, members, x, d_kept, share):  # type: ignore[no-untyped-def]
    """Compute the factors' cotangents where only the kept rows have an x.

    IN  kept_rows (n_kept,) members (n_rows,); x (n_kept, dim) ĥ; d_kept (n_kept, dim)
    OUT share (n_rows,) ⟨d_kept, x⟩ per member, 0 of rows without members untouched
    """
    for j in range(kept_rows.shape[0]):
        i = kept_rows[j]
        if members[i]:
            dot = share[i] * 0
            for k in range(x.shape[1]):
                dot += d_kept[j, k] * x[j, k]
            share[i] = dot / members[i]


@kernel
def add_outer(d_logit, w, d_x):  # type: ignore[no-untyped-def]
    """d_x[i] += d_logit[i] · w; rows with zero d_logit are skipped."""
    for i in range(d_x.shape[0]):
        if d_logit[i] != 0:
            row = d_x[i]
            g = d_logit[i]
            for k in range(row.shape[0]):
                row[k] += g * w[k]


@kernel
def prune(before_ptr, ptr, node, row, keep, n_old_rows, n_rows, n_kept):  # type: ignore[no-untyped-def]
    """Drop the nodes that are not kept, and the rows without any node.

    OUT the frontier (ptr, node, row) with new row numbers, the kept rows (all old rows first), and
    the number of kept new nodes per kept row.
    """
    n_queries = ptr.shape[0] - 1
    out_ptr = np.zeros(n_queries + 1, np.int64)
    out_node = np.empty(n_kept, np.int32)
    out_row = np.empty(n_kept, np.int32)
    number = np.full(n_rows, -1, np.int32)
    kept_rows = np.empty(n_rows, np.int32)
    members = np.zeros(n_rows, np.int32)
    for c in range(n_old_rows):
        number[c] = c
        kept_rows[c] = c
    n_kept_rows = n_old_rows
    to = 0
    for b in range(n_queries):
        first_new = ptr[b] + before_ptr[b + 1] - before_ptr[b]
        for i in range(ptr[b], ptr[b + 1]):
            if keep[i]:
                c = row[i]
                if number[c] < 0:
                    number[c] = n_kept_rows
                    kept_rows[n_kept_rows] = c
                    n_kept_rows += 1
                if i >= first_new:
                    members[c] += 1
                out_node[to] = node[i]
                out_row[to] = number[c]
                to += 1
        out_ptr[b + 1] = to
    return out_ptr, out_node, out_row, kept_rows[:n_kept_rows].copy(), members


def top_k_reference(
    before_ptr: npt.NDArray[np.int64],
    ptr: npt.NDArray[np.int64],
    value: FloatArray,
    k: int,
) -> npt.NDArray[np.bool_]:
    """Reference implementation, with one value per node: stable sort of a query's new nodes."""
    keep = np.zeros(len(value), bool)
    for b in range(len(ptr) - 1):
        first_new = ptr[b] + before_ptr[b + 1] - before_ptr[b]
        keep[ptr[b] : first_new] = True
        order = np.argsort(-value[first_new : ptr[b + 1]], kind="stable")[:k]
        keep[first_new + order] = True
    return keep
