"""Sums over neighbours, segments and index lists against their twins."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.kernels.segments import (
    add_rows,
    add_rows_reference,
    neighbour_sum,
    neighbour_sum_reference,
    segment_sum,
    segment_sum_reference,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_sums_agree_with_their_twins(seed, dtype):
    drawn = np.random.default_rng(seed)
    n, d = int(drawn.integers(1, 40)), int(drawn.integers(1, 9))
    indptr = np.concatenate([[0], np.cumsum(drawn.integers(0, 4, n))]).astype(np.int64)
    source = drawn.integers(0, n, indptr[-1]).astype(np.int64)
    x = drawn.normal(size=(n, d)).astype(dtype)
    out = np.empty_like(x)
    neighbour_sum(indptr, source, x, out)
    np.testing.assert_allclose(
        out, neighbour_sum_reference(indptr, source, x), rtol=1e-5, atol=1e-5
    )
    cuts = np.sort(drawn.integers(0, n + 1, 3))  # empty segments too
    offsets = np.concatenate([[0], cuts, [n]]).astype(np.int64)
    summed = np.empty((4, d), dtype)
    segment_sum(offsets, x, summed)
    np.testing.assert_allclose(summed, segment_sum_reference(offsets, x), rtol=1e-5, atol=1e-5)
    index = drawn.integers(0, 3, n).astype(np.int32)
    added, expected = np.ones((2, 3, d), dtype)
    add_rows(index, x, added)
    add_rows_reference(index, x, expected)
    np.testing.assert_allclose(added, expected, rtol=1e-5, atol=1e-5)
