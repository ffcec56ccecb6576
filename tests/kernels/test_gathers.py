"""Sums of listed rows and their gradients against the twins."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.kernels.molecules.gathers import (
    add_rows,
    add_rows_reference,
    gathered_sum,
    gathered_sum_backward,
    gathered_sum_backward_reference,
    gathered_sum_reference,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_sums_agree_with_their_twins(seed, dtype):
    drawn = np.random.default_rng(seed)
    n, rows, d = (int(drawn.integers(1, most)) for most in (40, 30, 9))
    indptr = np.concatenate([[0], np.cumsum(drawn.integers(0, 4, n))]).astype(np.int64)
    index = drawn.integers(0, rows, indptr[-1]).astype(np.int64)
    x, d_out = (drawn.normal(size=(size, d)).astype(dtype) for size in (rows, n))
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    out = np.empty_like(d_out)
    gathered_sum(indptr, index, x, out)
    np.testing.assert_allclose(out, gathered_sum_reference(indptr, index, x), **close)
    d_x = np.zeros_like(x)
    gathered_sum_backward(indptr, index, d_out, d_x)
    np.testing.assert_allclose(
        d_x, gathered_sum_backward_reference(indptr, index, d_out, rows), **close
    )
    few = drawn.integers(0, 3, n).astype(np.int32)
    added, expected = np.ones((2, 3, d), dtype)
    add_rows(few, d_out, added)
    add_rows_reference(few, d_out, expected)
    np.testing.assert_allclose(added, expected, **close)
