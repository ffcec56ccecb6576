"""Products against their twin, at shapes that do and do not fill tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DTYPES, assert_close

from parsimony.kernels.dense import product, product_reference

SIZES = st.one_of(st.integers(0, 9), st.integers(14, 34))


@pytest.mark.parametrize("dtype", DTYPES)
@given(n=SIZES, k=SIZES, m=SIZES, seed=st.integers(0, 2**32 - 1), transposed=st.booleans(),
       part=st.booleans())  # fmt: skip
@settings(deadline=None, max_examples=100)
def test_product_is_its_twin(dtype, n, k, m, seed, transposed, part):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((k, n)).T if transposed else rng.standard_normal((n, k))
    matrix, out = rng.standard_normal((k, m)), rng.standard_normal((n, m))
    expected = out.copy()
    product_reference(x, matrix, expected)
    if part:  # columns of wider arrays; what stands beside them stays
        wide_matrix, wide = np.full((k, m + 5), np.nan, dtype), np.full((n, m + 5), 7, dtype)
        wide_matrix[:, :m], wide[:, :m] = matrix, out
        product(x.astype(dtype), wide_matrix[:, :m], wide[:, :m])
        assert_close(wide[:, :m], expected, dtype)
        assert (wide[:, m:] == 7).all()
    else:
        result = out.astype(dtype)
        product(x.astype(dtype), matrix.astype(dtype), result)
        assert_close(result, expected, dtype)
