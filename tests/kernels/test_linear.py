"""The linear map with its activation against torch; dropout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.kernels.random_multigraphs import DIM, DTYPES, assert_close

from parsimony.kernels.dense import TILE
from parsimony.kernels.redgnn.linear import ACTIVATIONS, dropout, linear, linear_backward

TWIN = {"identity": lambda x: x, "relu": torch.relu, "tanh": torch.tanh}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_rows", [0, 1, 20])
def test_values_and_gradients_are_those_of_torch(n_rows, activation, dtype):
    rng = np.random.default_rng(n_rows)
    x, d_out = rng.standard_normal((2, n_rows, DIM))
    weight, before = rng.standard_normal((2, DIM, DIM))
    twin_x, twin_weight = (torch.from_numpy(v.copy()).requires_grad_() for v in (x, weight))
    expected = TWIN[activation](twin_x @ twin_weight.T)
    expected.backward(torch.from_numpy(d_out))

    x, weight, d_out = x.astype(dtype), weight.astype(dtype), d_out.astype(dtype)
    out, d_x = np.full((2, n_rows, DIM), np.nan, dtype)
    kind = ACTIVATIONS[activation]
    linear(TILE, x, np.ascontiguousarray(weight.T), kind, out)
    assert_close(out, expected.detach().numpy(), dtype)
    d_weight = before.astype(dtype)
    linear_backward(TILE, x, weight, kind, out, d_out, d_x, d_weight)
    assert_close(d_x, twin_x.grad.numpy(), dtype)
    assert_close(d_weight, before + twin_weight.grad.numpy(), dtype)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_diverging_value_is_seen(activation):
    out = np.zeros((1, DIM), np.float32)
    linear(TILE, np.full((1, DIM), np.nan, np.float32), np.eye(DIM, dtype=np.float32),
           ACTIVATIONS[activation], out)  # fmt: skip
    assert np.isnan(out).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, DIM), (1, 1), (3, 5), (500, DIM)])
def test_dropout_zeroes_and_rescales(dtype, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype) + 10
    y = np.full(shape, np.nan, dtype)
    dropout(x, 0.3, 17, y)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / 0.7, rtol=3e-7)
    in_place = x.copy()  # as the backward pass does
    dropout(in_place, 0.3, 17, in_place)
    np.testing.assert_array_equal(in_place, y)
    if x.size > 1000:
        assert np.mean(kept) == pytest.approx(0.7, abs=0.03)
        dropout(x, 0.3, 18, y)
        assert np.mean(kept == (y != 0)) == pytest.approx(0.58, abs=0.03)
