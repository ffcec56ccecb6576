"""AdaProp's top-K, pruning and straight-through gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DIM, DTYPES, assert_close

from parsimony.kernels.redgnn.sampling import (
    add_outer,
    prune,
    scatter_kept,
    top_k_backward,
    top_k_new,
    top_k_reference,
)


@st.composite
def steps(draw):
    """Frontiers before and after a step: old rows first, nodes of one query sharing rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_queries = draw(st.integers(0, 4))
    n_before = rng.integers(0, 3, n_queries)
    n_new = rng.integers(0, draw(st.integers(1, 7)), n_queries)
    before_ptr = np.concatenate([[0], np.cumsum(n_before)]).astype(np.int64)
    ptr = np.concatenate([[0], np.cumsum(n_before + n_new)]).astype(np.int64)
    n_old_rows = int(n_before.sum())
    row = np.empty(int(ptr[-1]), np.int32)
    n_rows = n_old_rows
    for b in range(n_queries):
        first = ptr[b] + n_before[b]
        row[ptr[b] : first] = np.arange(before_ptr[b], before_ptr[b + 1])
        if n_new[b]:  # every new row has a node
            distinct = rng.integers(1, n_new[b] + 1)
            choice = np.concatenate(
                [np.arange(distinct), rng.integers(0, distinct, n_new[b] - distinct)]
            )
            row[first : ptr[b + 1]] = n_rows + rng.permutation(choice)
            n_rows += distinct
    node = np.arange(len(row), dtype=np.int32) * 3
    ties = draw(st.booleans())
    logit = rng.choice([-1.0, 0.0, 2.0], n_rows) if ties else rng.standard_normal(n_rows)
    noise = rng.gumbel(size=len(row)) if draw(st.booleans()) else np.empty(0)
    k = draw(st.integers(1, 5))
    return before_ptr, ptr, node, row, logit, noise, n_old_rows, k, rng


def select(step, dtype):
    before_ptr, ptr, _, row, logit, noise, _, k, _ = step
    keep = np.zeros(len(row), np.uint8)
    logit, noise = logit.astype(dtype), noise.astype(dtype)
    n_kept = top_k_new(before_ptr, ptr, row, logit, noise, k, keep)
    return keep, n_kept, logit, noise


@pytest.mark.parametrize("dtype", DTYPES)
@given(step=steps())
@settings(deadline=None, max_examples=80)
def test_top_k(dtype, step):
    before_ptr, ptr, _, row, *_, k, _ = step
    keep, n_kept, logit, noise = select(step, dtype)
    value = logit[row] + noise if noise.size else logit[row]
    assert keep.astype(bool).tolist() == top_k_reference(before_ptr, ptr, value, k).tolist()
    assert n_kept == keep.sum()


@given(step=steps())
@settings(deadline=None, max_examples=80)
def test_prune(step):
    before_ptr, ptr, node, row, logit, _, n_old_rows, _, _ = step
    keep, n_kept, *_ = select(step, np.float64)
    out_ptr, out_node, out_row, kept_rows, members = prune(
        before_ptr, ptr, node, row, keep, n_old_rows, len(logit), n_kept
    )
    kept = keep.astype(bool)
    assert out_node.tolist() == node[kept].tolist()
    assert kept_rows[out_row].tolist() == row[kept].tolist()
    assert np.diff(out_ptr).tolist() == [
        int(kept[ptr[b] : ptr[b + 1]].sum()) for b in range(len(ptr) - 1)
    ]
    assert kept_rows[:n_old_rows].tolist() == list(range(n_old_rows))
    assert set(kept_rows.tolist()) == set(row[kept].tolist()) | set(range(n_old_rows))
    assert len(set(kept_rows.tolist())) == len(kept_rows)
    new = kept & (row >= n_old_rows)
    assert members.tolist() == np.bincount(row[new], minlength=len(logit)).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@given(step=steps())
@settings(deadline=None, max_examples=60)
def test_straight_through_gradient(dtype, step):
    """L = Σ kept new: share · (1 − stopgrad p + p), p the softmax over a query's new nodes."""
    before_ptr, ptr, _, row, logit, noise, _, _, rng = step
    keep, _, logit_cast, noise_cast = select(step, dtype)
    share = rng.standard_normal(len(logit))
    twin = torch.from_numpy(logit.copy()).requires_grad_()
    loss = twin.sum() * 0
    for b in range(len(ptr) - 1):
        first = int(ptr[b] + before_ptr[b + 1] - before_ptr[b])
        inside = slice(first, int(ptr[b + 1]))
        if first == ptr[b + 1]:
            continue
        index = torch.from_numpy(row[inside].astype(np.int64))
        z = twin[index] + (torch.from_numpy(noise[inside]) if noise.size else 0)
        p = torch.softmax(z, 0)
        factor = 1 - p.detach() + p
        loss = loss + (torch.from_numpy(share[row[inside]] * keep[inside]) * factor).sum()
    loss.backward()
    d_logit = np.ones(len(logit))
    top_k_backward(before_ptr, ptr, row, logit_cast, noise_cast, keep, share.astype(dtype), d_logit)
    assert_close(d_logit, 1 + twin.grad.numpy(), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(step=steps())
@settings(deadline=None, max_examples=40)
def test_undoing_the_selection(dtype, step):
    before_ptr, ptr, node, row, logit, _, n_old_rows, _, rng = step
    keep, n_kept, *_ = select(step, np.float64)
    *_, kept_rows, members = prune(before_ptr, ptr, node, row, keep, n_old_rows, len(logit), n_kept)
    if not len(logit):
        return
    x = rng.standard_normal((len(logit), DIM))
    d_kept = rng.standard_normal((len(kept_rows), DIM))
    w = rng.standard_normal(DIM)
    d_logit = rng.standard_normal(len(logit)) * (rng.random(len(logit)) < 0.7)
    expected = np.zeros_like(x)
    expected[kept_rows] = d_kept
    share_expected = np.where(members > 0, (expected * x).sum(1) / np.maximum(members, 1), 0)
    d_x, share = np.full(x.shape, np.nan, dtype), np.full(len(x), np.nan, dtype)
    scatter_kept(kept_rows, members, x.astype(dtype), d_kept.astype(dtype), d_x, share)
    assert_close(d_x, expected, dtype)
    assert_close(share, share_expected, dtype)
    add_outer(d_logit.astype(dtype), w.astype(dtype), d_x)
    assert_close(d_x, expected + np.outer(d_logit, w), dtype)
