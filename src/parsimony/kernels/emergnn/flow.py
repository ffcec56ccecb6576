"""EmerGNN's flow from one drug to another, computed only where it can reach the answer.

    h⁰_x = f_u if x = u else 0,   ρ^ℓ_r = α^ℓ_r e^ℓ_r
    h^ℓ_x = ReLU( W^ℓ Σ_{(s,r)→x} ω_{xr} ρ^ℓ_r ∘ h^{ℓ−1}_s + b^ℓ ),   h_{u→v} = h³_v

(docs/methods/emergnn.md, eq. 4), ω = 1 or a normalisation by in-degree. Exact
with and without bias (eqs. 9–11). With c = ReLU(b¹), Δ_σ the excess over c of the state of
signature σ (a multiset of relations), and C the sparse matrix of
:func:`parsimony.kernels.emergnn.paths.merged`,

    M_{(σ,r)} = ρ²_r ∘ Δ_σ (c itself is one more signature),   h²_x = ReLU( C_x (M W²ᵀ) + b² )
    h³_v = ReLU( W³ Σ_τ κ_τ ∘ S_τ + b³ ),   S_τ = Σ_{x of signature τ} h²_x,  κ_τ = Σ_{r∈τ} ω ρ³_r

W² multiplies the columns M, of which there are fewer than rows x. The backward pass recomputes the
digraph and the states instead of storing them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimony.kernels.dense import constant, product
from parsimony.kernels.emergnn.graph import inverse_of
from parsimony.kernels.emergnn.paths import merged, middle_edges, neighbourhood
from parsimony.kernels.numerics import kernel
from parsimony.kernels.products import chosen


@kernel
def layer1(  # type: ignore[no-untyped-def]
    form, dim, begin, end, relation, f, alpha, e, wt, b, kappa, z, p, delta,
):  # fmt: skip
    """States of the signatures, as the excess over the background state, which comes last."""
    d = len(dim)
    n = begin.shape[0]
    zero = f[0] * 0
    for g in range(n):
        total = kappa[g]
        for m in range(begin[g], end[g]):
            r = relation[m]
            scale = alpha[0, r]
            x = e[0, r]
            for k in range(d):
                total[k] += scale * x[k]
        for k in range(d):
            z[g, k] = total[k] * f[k]
            p[g, k] = b[0, k]
    product(form, z, wt[0], p)
    for k in range(d):
        delta[n, k] = max(b[0, k], zero)
    for g in range(n):
        for k in range(d):
            delta[g, k] = max(p[g, k], zero) - delta[n, k]


@kernel
def layer2(  # type: ignore[no-untyped-def]
    form, dim, ptr, column, weight, state, kind, group, alpha, e, wt, b, delta, message, y, p,
    total,
):  # fmt: skip
    """Columns, rows, and the sums of rows with equal signature."""
    d = len(dim)
    zero = b[0, 0] * 0
    for c in range(state.shape[0]):
        r = kind[c]
        scale = alpha[1, r]
        x = e[1, r]
        h = delta[state[c]]
        to = message[c]
        for k in range(d):
            to[k] = scale * x[k] * h[k]
    product(form, message, wt[1], y)
    for i in range(group.shape[0]):
        row = p[i]
        for k in range(d):
            row[k] = b[1, k]
        for m in range(ptr[i], ptr[i + 1]):
            x = y[column[m]]
            scale = weight[m]
            for k in range(d):
                row[k] += scale * x[k]
        to = total[group[i]]
        for k in range(d):
            to[k] += max(row[k], zero)


@kernel
def layer3(  # type: ignore[no-untyped-def]
    form, dim, begin, end, relation, n_relations, scale_in, alpha, e, wt, b, total, kappa, z, p,
):  # fmt: skip
    """The state of the receiving drug before its ReLU."""
    d = len(dim)
    for g in range(begin.shape[0]):
        weights = kappa[g]
        for m in range(begin[g], end[g]):
            r = inverse_of(relation[m], n_relations)
            scale = scale_in[r] * alpha[2, r]
            x = e[2, r]
            for k in range(d):
                weights[k] += scale * x[k]
        for k in range(d):
            z[0, k] += weights[k] * total[g, k]
    for k in range(d):
        p[0, k] = b[2, k]
    product(form, z, wt[2], p)


@kernel
def back3(form, dim,  # type: ignore[no-untyped-def]
    begin, end, relation, n_relations, scale_in, alpha, e, w, total, kappa, z, p, d_out,
    d_total, d_alpha, d_e, d_wt, d_b,
):  # fmt: skip
    """Gradients through layer 3; d_total (n_groups, dim) is the gradient of the sums."""
    d = len(dim)
    zero = d_out[0] * 0
    g_p = np.zeros_like(p)
    g_z = np.zeros_like(p)
    for k in range(d):
        g_p[0, k] = d_out[k] if p[0, k] > zero else zero
        d_b[2, k] += g_p[0, k]
    product(form, z.T, g_p, d_wt[2])
    product(form, g_p, w[2], g_z)
    g_kappa = np.empty(d, p.dtype)
    for g in range(begin.shape[0]):
        for k in range(d):
            d_total[g, k] = kappa[g, k] * g_z[0, k]
        for k in range(d):
            g_kappa[k] = total[g, k] * g_z[0, k]
        for m in range(begin[g], end[g]):
            r = inverse_of(relation[m], n_relations)
            add_rho(dim, g_kappa, scale_in[r], 2, r, alpha, e, d_alpha, d_e)


@kernel
def add_rho(dim, g, scale, layer, r, alpha, e, d_alpha, d_e):  # type: ignore[no-untyped-def]
    """Add ``scale`` times the gradient of ρ = α e to those of α and e."""
    d = len(dim)
    total = g[0] * 0
    x = e[layer, r]
    to = d_e[layer, r]
    weight = scale * alpha[layer, r]
    for k in range(d):
        total += g[k] * x[k]
    for k in range(d):
        to[k] += weight * g[k]
    d_alpha[layer, r] += scale * total


@kernel
def back2(form, dim,  # type: ignore[no-untyped-def]
    ptr, column, weight, state, kind, group, alpha, e, w, delta, message, p, d_total,
    d_delta, d_alpha, d_e, d_wt, d_b,
):  # fmt: skip
    """Gradients through layer 2; overwrites p with the gradient of the rows."""
    d = len(dim)
    zero = d_total[0, 0] * 0
    one = p.dtype.type(1)
    d_y = np.zeros_like(message)
    for i in range(group.shape[0]):
        row = p[i]
        g = d_total[group[i]]
        for k in range(d):
            row[k] = g[k] if row[k] > zero else zero
        for k in range(d):
            d_b[1, k] += row[k]
        for m in range(ptr[i], ptr[i + 1]):
            to = d_y[column[m]]
            scale = weight[m]
            for k in range(d):
                to[k] += scale * row[k]
    product(form, message.T, d_y, d_wt[1])
    d_message = np.zeros_like(message)
    product(form, d_y, w[1], d_message)
    for c in range(state.shape[0]):
        r = kind[c]
        scale = alpha[1, r]
        x = e[1, r]
        h = delta[state[c]]
        to = d_delta[state[c]]
        g = d_message[c]
        for k in range(d):
            to[k] += scale * x[k] * g[k]
        for k in range(d):
            g[k] *= h[k]
        add_rho(dim, g, one, 1, r, alpha, e, d_alpha, d_e)


@kernel
def back1(  # type: ignore[no-untyped-def]
    form, dim, begin, end, relation, f, alpha, e, w, b, kappa, z, p, d_delta, d_f, d_alpha, d_e,
    d_wt, d_b,
):  # fmt: skip
    """Gradients through layer 1; overwrites p with the gradient of the sums."""
    d = len(dim)
    n = begin.shape[0]
    zero = f[0] * 0
    one = p.dtype.type(1)
    for k in range(d):
        background = d_delta[n, k]
        for g in range(n):
            background -= d_delta[g, k]
        d_b[0, k] += background if b[0, k] > zero else zero
    for g in range(n):
        for k in range(d):
            p[g, k] = d_delta[g, k] if p[g, k] > zero else zero
        for k in range(d):
            d_b[0, k] += p[g, k]
    product(form, z.T, p, d_wt[0])
    d_z = np.zeros_like(p)
    product(form, p, w[0], d_z)
    for g in range(n):
        grad = d_z[g]
        for k in range(d):
            d_f[k] += grad[k] * kappa[g, k]
        for k in range(d):
            grad[k] *= f[k]
        for m in range(begin[g], end[g]):
            add_rho(dim, grad, one, 0, relation[m], alpha, e, d_alpha, d_e)


@kernel
def direction(form, dim,  # type: ignore[no-untyped-def]
    matrix, begin_a, end_a, kept_a, begin_b, end_b, kept_b, group_b, n_relations, scale_in,
    f, alpha, e, w, wt, b, out, backward, d_out, d_f, d_alpha, d_e, d_wt, d_b,
):  # fmt: skip
    """The flow from a to b, or its gradients if ``backward``."""
    d = len(dim)
    ptr, column, weight, state, kind = matrix
    n_a = begin_a.shape[0]
    n_b = begin_b.shape[0]
    kappa1 = np.zeros((n_a, d), f.dtype)
    z1 = np.empty((n_a, d), f.dtype)
    p1 = np.empty((n_a, d), f.dtype)
    delta = np.empty((n_a + 1, d), f.dtype)
    layer1(form, dim, begin_a, end_a, kept_a, f, alpha, e, wt, b, kappa1, z1, p1, delta)
    message = np.empty((state.shape[0], d), f.dtype)
    y = np.zeros((state.shape[0], d), f.dtype)
    p2 = np.empty((group_b.shape[0], d), f.dtype)
    total = np.zeros((n_b, d), f.dtype)
    layer2(
        form,
        dim,
        ptr,
        column,
        weight,
        state,
        kind,
        group_b,
        alpha,
        e,
        wt,
        b,
        delta,
        message,
        y,
        p2,
        total,
    )
    kappa3 = np.zeros((n_b, d), f.dtype)
    z3 = np.zeros((1, d), f.dtype)
    p3 = np.empty((1, d), f.dtype)
    layer3(
        form, dim, begin_b, end_b, kept_b, n_relations, scale_in, alpha, e, wt, b, total, kappa3,
        z3, p3,
    )  # fmt: skip
    if not backward:
        zero = f[0] * 0
        for k in range(d):
            out[k] = max(p3[0, k], zero)
        return
    d_total = np.empty((n_b, d), f.dtype)
    back3(form, dim,
        begin_b, end_b, kept_b, n_relations, scale_in, alpha, e, w, total, kappa3, z3, p3,
        d_out, d_total, d_alpha, d_e, d_wt, d_b,
    )  # fmt: skip
    d_delta = np.zeros_like(delta)
    back2(form, dim,
        ptr, column, weight, state, kind, group_b, alpha, e, w, delta, message, p2, d_total,
        d_delta, d_alpha, d_e, d_wt, d_b,
    )  # fmt: skip
    back1(form, dim,
        begin_a, end_a, kept_a, f, alpha, e, w, b, kappa1, z1, p1, d_delta,
        d_f, d_alpha, d_e, d_wt, d_b,
    )  # fmt: skip


@kernel
def incoming(x, degree_ptr, degree_relation, degree_weight, scale):  # type: ignore[no-untyped-def]
    """Factors of the messages into x, by relation."""
    for k in range(degree_ptr[x], degree_ptr[x + 1]):
        scale[degree_relation[k]] = degree_weight[k]


@kernel
def run(form, dim,  # type: ignore[no-untyped-def]
    indptr, neighbour, relation, degree_ptr, degree_relation, degree_count, degree_weight,
    n_relations, n_types, rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out, size,
    backward, d_out, d_f, d_alpha, d_e, d_wt, d_b,
):  # fmt: skip
    """Forward or backward pass: rows of pairs, both directions of each."""
    position = np.full(indptr.shape[0] - 1, np.int32(-1), np.int32)
    scale = np.zeros(2 * n_relations + 1, f.dtype)
    like = np.empty(0, f.dtype)
    for i in rows:
        u = pairs[i, 0]
        v = pairs[i, 1]
        hide = hidden[i]
        node_u, group_u, begin_u, end_u, kept_u = neighbourhood(
            indptr, neighbour, relation, u, pairs[i], hide, n_types, n_relations
        )
        node_v, group_v, begin_v, end_v, kept_v = neighbourhood(
            indptr, neighbour, relation, v, pairs[i], hide, n_types, n_relations
        )
        edges = middle_edges(
            indptr, neighbour, relation, node_u, node_v, position,
            pairs[i], hide, n_types, n_relations,
        )  # fmt: skip
        forth = merged(
            edges, False, group_u, begin_u.shape[0], node_v, degree_ptr, degree_relation,
            degree_count, degree_weight, n_relations, biased, like,
        )  # fmt: skip
        incoming(v, degree_ptr, degree_relation, degree_weight, scale)
        direction(form, dim,
            forth, begin_u, end_u, kept_u, begin_v, end_v, kept_v, group_v, n_relations, scale,
            f[i, 0], alpha[i], e, w, wt, b, out[i, 0],
            backward, d_out[i, 0], d_f[i, 0], d_alpha[i], d_e, d_wt, d_b,
        )  # fmt: skip
        back = merged(
            edges, True, group_v, begin_v.shape[0], node_u, degree_ptr, degree_relation,
            degree_count, degree_weight, n_relations, biased, like,
        )  # fmt: skip
        incoming(u, degree_ptr, degree_relation, degree_weight, scale)
        direction(form, dim,
            back, begin_v, end_v, kept_v, begin_u, end_u, kept_u, group_u, n_relations, scale,
            f[i, 1], alpha[i], e, w, wt, b, out[i, 1],
            backward, d_out[i, 1], d_f[i, 1], d_alpha[i], d_e, d_wt, d_b,
        )  # fmt: skip
        if not backward:
            ends = kept_u.shape[0] + kept_v.shape[0]
            size[i, 0] = edges.shape[0] + ends
            size[i, 1] = forth[1].shape[0]
            size[i, 2] = edges.shape[0] + ends
            size[i, 3] = back[1].shape[0]


def forward(dim: int, *arguments: Any) -> None:
    """Run the flow of some pairs.

    Parameters
    ----------
    dim
        Dimension of the states.
    *arguments
        ``*graph, rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out, size``

        IN  graph: :meth:`parsimony.kernels.emergnn.graph.ActiveGraph.arrays`
            rows: indices of the pairs to process
            pairs (n, 2) entities (u, v); hidden (n,) what each hides; f (n, 2, dim) f_u and f_v
            alpha (n, 3, 2R + 1), e (3, 2R + 1, dim)
            w (3, dim, dim) and wt, each of its matrices transposed; b (3, dim), zeros if not biased
        OUT out (n, 2, dim) h_{u→v} and h_{v→u}
            size (n, 4) path edges and merged entries of u→v, then of v→u
    """
    *inputs, out, size = arguments
    f, alpha, e, _w, wt, b, _biased = inputs[-7:]
    run(chosen(), constant(dim), *inputs, out, size, False, out, f, alpha, e, wt, b)


def backward(dim: int, *arguments: Any) -> None:
    """Add the gradients of some pairs.

    Parameters
    ----------
    dim
        Dimension of the states.
    *arguments
        As in :func:`forward` up to ``biased``, then ``d_out, d_f, d_alpha, d_e, d_wt, d_b``: d_f
        and d_alpha have the shapes of f and alpha; gradients are added to all of them.
    """
    *inputs, d_out, d_f, d_alpha, d_e, d_wt, d_b = arguments
    size = np.empty((0, 4), np.int64)
    run(chosen(), constant(dim), *inputs, d_out, size, True, d_out, d_f, d_alpha, d_e, d_wt, d_b)
