"""Criteria of new nodes from their in-edges alone, and the rows that are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import ATTENTION_DIM, DTYPES, assert_close

from parsimony.kernels.dense import constant
from parsimony.kernels.redgnn.candidates import (
    candidate_criteria,
    candidate_criteria_backward,
    candidate_criteria_reference,
    select_rows,
)

WIDTH = constant(ATTENTION_DIM)


@st.composite
def steps(draw):
    """In-edges of a few rows; all sources of a row ask the same relation."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_queries, n_relations = draw(st.integers(1, 6)), 2, 3
    row_query = np.repeat(np.arange(n_queries, dtype=np.int32), 3)  # of six sources
    degree = rng.integers(1, 4, n_rows)
    indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int64)
    asks = np.repeat(rng.integers(0, n_queries, n_rows), degree)
    source = (3 * asks + rng.integers(0, 3, indptr[-1])).astype(np.int32)
    relation = rng.integers(0, n_relations, indptr[-1]).astype(np.int32)
    a, p = rng.standard_normal((6, ATTENTION_DIM)), rng.standard_normal((3, ATTENTION_DIM))
    w, b = rng.standard_normal(ATTENTION_DIM), rng.standard_normal(1)
    y_s, y_r, prior = rng.standard_normal(6), rng.standard_normal(3), rng.standard_normal((2, 3))
    first = draw(st.integers(0, n_rows))
    return indptr, first, source, relation, row_query, a, p, w, b, y_s, y_r, prior


def values(step, dtype=np.float64):
    indptr, first, source, relation, row_query, *rest = step
    rest = [x.astype(dtype) for x in rest]
    alpha = np.zeros(len(source), dtype)
    value = np.zeros((len(indptr) - 1, 3), dtype)
    candidate_criteria(WIDTH, indptr, first, source, relation, row_query, *rest, alpha, value)
    return alpha, value


def attention(step):
    _, _, source, relation, _, a, p, w, b, *_ = step
    return 1 / (1 + np.exp(-(np.maximum(a[source] + p[relation], 0) @ w + b[0])))


@pytest.mark.parametrize("dtype", DTYPES)
@given(step=steps())
@settings(deadline=None, max_examples=40)
def test_criteria(dtype, step):
    indptr, first, source, relation, row_query, *_, y_s, y_r, prior = step
    expected = candidate_criteria_reference(
        indptr, source, relation, row_query, attention(step), y_s, y_r, prior
    )
    alpha, value = values(step, dtype)
    assert_close(value[first:], expected[first:], dtype)
    assert not value[:first].any()
    assert_close(alpha[indptr[first] :], attention(step)[indptr[first] :], dtype)


@given(step=steps(), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_gradient_of_the_criteria(step, seed):
    """Against central differences along one direction of all inputs at once."""
    indptr, first, source, relation, row_query, a, p, w, b, y_s, y_r, prior = step
    rng = np.random.default_rng(seed)
    alpha, value = values(step)
    d_value = rng.standard_normal(value.shape)
    c_a, c_p, d_b = np.zeros_like(a), np.zeros_like(p), np.zeros(1)
    d_y_s, d_y_r, d_prior = np.zeros_like(y_s), np.zeros_like(y_r), np.zeros_like(prior)
    candidate_criteria_backward(
        WIDTH, indptr, first, source, relation, row_query, a, p, y_s, y_r, prior, alpha, value,
        d_value, c_a, c_p, d_b, d_y_s, d_y_r, d_prior,
    )  # fmt: skip
    gradients = (c_a * w, c_p * w, (a * c_a).sum(0) + (p * c_p).sum(0), d_b, d_y_s, d_y_r, d_prior)
    inputs = (a, p, w, b, y_s, y_r, prior)
    along = [rng.standard_normal(x.shape) for x in inputs]
    ahead, behind = (
        (values((*step[:5], *(x + h * v for x, v in zip(inputs, along, strict=True))))[1] * d_value)
        [first:].sum()
        for h in (1e-6, -1e-6)
    )  # fmt: skip
    slope = sum((g * v).sum() for g, v in zip(gradients, along, strict=True))
    assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-4, abs=1e-5)


@given(step=steps(), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_rows_keep_their_edges(step, seed):
    indptr, _, source, relation, *_ = step
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(indptr) - 1)[: rng.integers(0, len(indptr))].astype(np.int32)
    ptr, s, r = select_rows(indptr, source, relation, rows)
    for j, i in enumerate(rows):
        here, there = slice(ptr[j], ptr[j + 1]), slice(indptr[i], indptr[i + 1])
        assert s[here].tolist() == source[there].tolist()
        assert r[here].tolist() == relation[there].tolist()
    assert ptr[-1] == len(s) == len(r)
