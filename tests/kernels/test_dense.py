"""Products in every form against their twin, at shapes that do and do not fill tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DTYPES, assert_close

from parsimony.kernels.dense import FORMS, LARGE, form, product, product_reference

SIZES = st.one_of(st.integers(0, 9), st.integers(14, 34))


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@given(n=SIZES, k=SIZES, m=SIZES, seed=st.integers(0, 2**32 - 1), transposed=st.booleans(),
       part=st.booleans())  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_product_is_its_twin(name, dtype, n, k, m, seed, transposed, part):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((k, n)).T if transposed else rng.standard_normal((n, k))
    matrix, out = rng.standard_normal((k, m)), rng.standard_normal((n, m))
    expected, how = out.copy(), form(name, name)
    product_reference(x, matrix, expected)
    if part:  # columns of wider arrays; what stands beside them stays
        wide_matrix, wide = np.full((k, m + 5), np.nan, dtype), np.full((n, m + 5), 7, dtype)
        wide_matrix[:, :m], wide[:, :m] = matrix, out
        product(how, x.astype(dtype), wide_matrix[:, :m], wide[:, :m])
        assert_close(wide[:, :m], expected, dtype)
        assert (wide[:, m:] == 7).all()
    else:
        result = out.astype(dtype)
        product(how, x.astype(dtype), matrix.astype(dtype), result)
        assert_close(result, expected, dtype)


def test_every_form_multiplies_what_lies_anyhow():
    rng = np.random.default_rng(0)
    x, matrix = rng.standard_normal((24, 40))[::2, ::2], rng.standard_normal((20, 50))
    for name in FORMS:
        out = np.zeros((12, 50))
        product(form(name, name), x, matrix, out)
        np.testing.assert_allclose(out, x @ matrix, atol=1e-12)


def test_large_products_are_of_the_second_form():
    rng = np.random.default_rng(0)
    for rows in (100, 300):  # both sides of LARGE
        x, matrix = rng.standard_normal((rows, 64), np.float32), np.eye(64, dtype=np.float32)
        matrix += 1e-3 * rng.standard_normal((64, 64), np.float32)
        found = {}
        for forms in (("tile", "tile"), ("tile", "blas"), ("blas", "tile"), ("blas", "blas")):
            out = np.zeros((rows, 64), np.float32)
            product(form(*forms), x, matrix, out)
            found[forms] = out.tobytes()
        which = int(rows * 64 * 64 >= LARGE)
        for forms, bits in found.items():
            assert bits == found[forms[which], forms[which]]
