"""The fused gates against their twin and torch.nn.GRUCell; activations; dropout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DIM, DTYPES, assert_close

from parsimony.kernels.gru import (
    activate,
    activate_backward,
    dropout,
    gru_kernels,
    gru_reference,
)


@st.composite
def cells(draw):
    """A GRU cell with n_old rows that have a state and others that were just reached."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.integers(0, 6))
    n_old = draw(st.integers(0, n_rows))
    scale = draw(st.sampled_from([0.5, 3.0]))
    shapes = {
        "input": (n_rows, DIM),
        "old": (n_old, DIM),
        "W_ih": (3 * DIM, DIM),
        "W_hh": (3 * DIM, DIM),
        "b_ih": (3 * DIM,),
        "b_hh": (3 * DIM,),
        "d_out": (n_rows, DIM),
        "before": (2, 3 * DIM),
    }
    return {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


def forward(cell, dtype):
    """Run the kernel: the gates, y and the new state."""
    c = {name: x.astype(dtype) for name, x in cell.items()}
    x = np.ascontiguousarray(c["input"] @ c["W_ih"].T)
    y = np.ascontiguousarray(c["old"] @ c["W_hh"].T)
    out = np.full((len(x), DIM), np.nan, dtype)
    gru_kernels(DIM).forward(x, y, c["b_ih"], c["b_hh"], c["old"], out)
    return c, x, y, out


@pytest.mark.parametrize("dtype", DTYPES)
@given(cell=cells())
@settings(deadline=None, max_examples=60)
def test_forward(dtype, cell):
    *_, out = forward(cell, dtype)
    old = np.zeros_like(cell["input"])
    old[: len(cell["old"])] = cell["old"]
    expected = gru_reference(
        cell["input"] @ cell["W_ih"].T + cell["b_ih"], old @ cell["W_hh"].T + cell["b_hh"], old
    )
    assert_close(out, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(cell=cells())
@settings(deadline=None, max_examples=60)
def test_values_and_gradients_are_those_of_torch(dtype, cell):
    module = torch.nn.GRUCell(DIM, DIM, dtype=torch.float64)
    with torch.no_grad():
        for name in ("ih", "hh"):
            getattr(module, f"weight_{name}").copy_(torch.from_numpy(cell[f"W_{name}"]))
            getattr(module, f"bias_{name}").copy_(torch.from_numpy(cell[f"b_{name}"]))
    n_old = len(cell["old"])
    state = np.zeros_like(cell["input"])
    state[:n_old] = cell["old"]
    given_input = torch.from_numpy(cell["input"].copy()).requires_grad_()
    given_state = torch.from_numpy(state).requires_grad_()
    expected = module(given_input, given_state)
    expected.backward(torch.from_numpy(cell["d_out"]))

    c, gates, y, out = forward(cell, dtype)
    assert_close(out, expected.detach().numpy(), dtype)
    d_old = np.full((n_old, DIM), np.nan, dtype)
    d_b_ih, d_b_hh = c["before"][0].copy(), c["before"][1].copy()
    gru_kernels(DIM).backward(gates, y, c["b_hh"], c["old"], c["d_out"], d_old, d_b_ih, d_b_hh)
    assert_close(gates @ c["W_ih"], given_input.grad.numpy(), dtype)
    assert_close(d_old + y @ c["W_hh"], given_state.grad.numpy()[:n_old], dtype)
    assert_close(gates.T @ c["input"], module.weight_ih.grad.numpy(), dtype)
    assert_close(y.T @ c["old"], module.weight_hh.grad.numpy(), dtype)
    assert_close(d_b_ih, cell["before"][0] + module.bias_ih.grad.numpy(), dtype)
    assert_close(d_b_hh, cell["before"][1] + module.bias_hh.grad.numpy(), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "function"), [(0, lambda x: x), (1, torch.relu), (2, torch.tanh)])
def test_activations(kind, function, dtype):
    rng = np.random.default_rng(kind)
    x = rng.standard_normal((7, DIM)) * 2
    d_out = rng.standard_normal(x.shape)
    twin = torch.from_numpy(x.copy()).requires_grad_()
    expected = function(twin)
    expected.backward(torch.from_numpy(d_out))
    value, gradient = x.astype(dtype), d_out.astype(dtype)
    activate(value, kind)
    activate_backward(value, gradient, kind)
    assert_close(value, expected.detach().numpy(), dtype)
    assert_close(gradient, twin.grad.numpy(), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, DIM), (1, 1), (3, 5), (500, DIM)])
def test_dropout_zeroes_and_rescales(dtype, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype) + 10
    y, mask = x.copy(), np.full(shape, np.nan, dtype)
    dropout(y, mask, 0.3, 17)
    assert set(np.unique(mask)) <= {dtype(0), dtype(1 / dtype(0.7)), dtype(1 / 0.7)}
    np.testing.assert_allclose(y, x * mask, rtol=2e-7)
    if x.size > 1000:
        assert np.mean(mask == 0) == pytest.approx(0.3, abs=0.03)
    again, same = x.copy(), np.empty_like(mask)
    dropout(again, same, 0.3, 17)
    np.testing.assert_array_equal(mask, same)
    if x.size > 1000:
        dropout(x, same, 0.3, 18)
        assert np.mean((mask == 0) == (same == 0)) == pytest.approx(0.58, abs=0.03)
