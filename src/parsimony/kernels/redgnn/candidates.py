"""Criteria for newly reached nodes that need no state of theirs: one pass over their in-edges.

    m_i = Σ_e α_e (y_s + y_r)        a message of one dimension, y = w_s · h_s and w_s · e_r
    a_i = log Σ_e α_e − log |E_i|    the mean attention
    c_i = log Σ_e exp π_{q r}        what the query relation q thinks of the edges' relations r

over the in-edges E_i of row i (docs/methods/adaprop.md, eqs. 6–8), α as in attention.py. Such nodes
are many and mostly pruned: a state costs d² operations each and d an edge, these a few an edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import exp, kernel, sigmoid

FloatArray = npt.NDArray[np.floating[Any]]


@kernel
def candidate_criteria(  # type: ignore[no-untyped-def]
    width, indptr, first, source, relation, row_query, a, p, w, b, y_s, y_r, prior, alpha, value
):
    """Compute the criteria of the rows from ``first`` on.

    IN  width: ``constant`` of attention_dim
        indptr (n_rows + 1,) source, relation (n_edges,) row_query (n_sources,)
        a (n_sources, attention_dim) p (n_relations, attention_dim) w (attention_dim,) b (1,)
        y_s (n_sources,) y_r (n_relations,), or both empty: no m
        prior (n_queries, n_relations) π, or empty: m alone
    OUT alpha (n_edges,) of the in-edges; value (n_rows, 3) m, a, c
    """
    begin = indptr[first]
    zero = b[0] * 0
    for e in range(begin, indptr[-1]):
        s = source[e]
        r = relation[e]
        logit = b[0]
        for k in range(len(width)):
            logit += w[k] * max(a[s, k] + p[r, k], zero)
        alpha[e] = logit
    for e in range(begin, indptr[-1]):
        alpha[e] = sigmoid(alpha[e])
    for i in range(first, indptr.shape[0] - 1):
        if y_r.size:
            m = zero
            for e in range(indptr[i], indptr[i + 1]):
                m += alpha[e] * (y_s[source[e]] + y_r[relation[e]])
            value[i, 0] = m
        if prior.size:
            total = zero
            q = row_query[source[indptr[i]]]
            top = prior[q, relation[indptr[i]]]
            for e in range(indptr[i], indptr[i + 1]):
                total += alpha[e]
                top = max(top, prior[q, relation[e]])
            mass = zero
            for e in range(indptr[i], indptr[i + 1]):
                mass += exp(prior[q, relation[e]] - top)
            value[i, 1] = np.log(total / (indptr[i + 1] - indptr[i]))
            value[i, 2] = top + np.log(mass)


@kernel
def candidate_criteria_backward(  # type: ignore[no-untyped-def]
    width, indptr, first, source, relation, row_query, a, p, y_s, y_r, prior, alpha, value,
    d_value, c_a, c_p, d_b, d_y_s, d_y_r, d_prior,
):  # fmt: skip
    """Add the gradients of the criteria.

    IN  as in the forward pass; d_value (n_rows, 3)
    OUT c_a, c_p as in ``attention_kernels``; d_b, d_y_s, d_y_r, d_prior
    """
    zero = d_b[0] * 0
    one = zero + 1
    for i in range(first, indptr.shape[0] - 1):
        d_m, d_a, d_c = d_value[i, 0], d_value[i, 1], d_value[i, 2]
        if d_m == 0 and d_a == 0 and d_c == 0:
            continue
        q = row_query[source[indptr[i]]]
        total = zero
        for e in range(indptr[i], indptr[i + 1]):
            total += alpha[e]
        for e in range(indptr[i], indptr[i + 1]):
            s = source[e]
            r = relation[e]
            d_logit = zero
            if y_r.size:
                d_logit += d_m * (y_s[s] + y_r[r]) * alpha[e]
                d_y_s[s] += d_m * alpha[e]
                d_y_r[r] += d_m * alpha[e]
            if prior.size:
                d_logit += d_a * (alpha[e] / total)  # a small α may be denormal, the share is not
                d_prior[q, r] += d_c * exp(prior[q, r] - value[i, 2])
            d_logit *= one - alpha[e]
            d_b[0] += d_logit
            for k in range(len(width)):
                c = d_logit if a[s, k] + p[r, k] > zero else zero
                c_a[s, k] += c
                c_p[r, k] += c


@kernel
def select_rows(indptr, source, relation, rows):  # type: ignore[no-untyped-def]
    """In-edges of some rows: (indptr, source, relation) of ``rows``, in their order."""
    out_ptr = np.zeros(len(rows) + 1, np.int64)
    for j in range(len(rows)):
        out_ptr[j + 1] = out_ptr[j] + indptr[rows[j] + 1] - indptr[rows[j]]
    out_source = np.empty(out_ptr[-1], np.int32)
    out_relation = np.empty(out_ptr[-1], np.int32)
    for j in range(len(rows)):
        to = out_ptr[j]
        for e in range(indptr[rows[j]], indptr[rows[j] + 1]):
            out_source[to] = source[e]
            out_relation[to] = relation[e]
            to += 1
    return out_ptr, out_source, out_relation


def candidate_criteria_reference(
    indptr: npt.NDArray[np.int64],
    source: npt.NDArray[np.int32],
    relation: npt.NDArray[np.int32],
    row_query: npt.NDArray[np.int32],
    alpha: FloatArray,
    y_s: FloatArray,
    y_r: FloatArray,
    prior: FloatArray,
) -> FloatArray:
    """Reference implementation, of all rows, from the attention of every edge: (n_rows, 3)."""
    value = np.zeros((len(indptr) - 1, 3))
    for i in range(len(value)):
        edges = slice(indptr[i], indptr[i + 1])
        s, r = source[edges], relation[edges]
        value[i] = (
            alpha[edges] @ (y_s[s] + y_r[r]),
            np.log(alpha[edges].mean()),
            np.log(np.exp(prior[row_query[s], r]).sum()),
        )
    return value
