"""The compiled exponentials against libm."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.kernels import numerics
from parsimony.kernels.numerics import kernel


@kernel
def exps(x, out):
    for i in range(x.size):
        out[i] = numerics.exp(x[i])


@kernel
def sigmoids(x, out):
    for i in range(x.size):
        out[i] = numerics.sigmoid(x[i])


@kernel
def tanhs(x, out):
    for i in range(x.size):
        out[i] = numerics.tanh(x[i])


def apply(function, x):
    out = np.empty_like(x)
    function(x, out)
    return out


def inputs(dtype, limit):
    rng = np.random.default_rng(0)
    near = rng.standard_normal(20_000)
    far = rng.uniform(-limit, limit, 20_000)
    return np.concatenate([near, far, [0.0, -0.0, limit, -limit, 1e-30]]).astype(dtype)


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 3e-7), (np.float64, 1e-12)])
def test_exp_is_relatively_exact(dtype, error):
    x = inputs(dtype, 87)
    np.testing.assert_allclose(apply(exps, x), np.exp(x.astype(np.float64)), rtol=error)


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 5e-7), (np.float64, 1e-12)])
def test_sigmoid(dtype, error):
    x = inputs(dtype, 80)
    y = np.exp(-x.astype(np.float64))
    np.testing.assert_allclose(apply(sigmoids, x), 1 / (1 + y), rtol=error)


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 3e-7), (np.float64, 1e-12)])
def test_tanh_is_absolutely_exact(dtype, error):
    x = inputs(dtype, 40)
    np.testing.assert_allclose(apply(tanhs, x), np.tanh(x.astype(np.float64)), atol=error, rtol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturation(dtype):
    x = np.array([-1e30, -1000, 1000, 1e30, -np.inf, np.inf], dtype)
    assert apply(sigmoids, x).tolist() == pytest.approx([0, 0, 1, 1, 0, 1], abs=1e-30)
    assert apply(tanhs, x).tolist() == pytest.approx([-1, -1, 1, 1, -1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [exps, sigmoids, tanhs])
def test_nan_stays_visible(function, dtype):
    # A diverging training must be seen, not turned into a saturated gate.
    x = np.full(37, np.nan, dtype)
    assert np.isnan(apply(function, x)).all()
