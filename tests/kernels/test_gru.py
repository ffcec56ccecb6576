"""The fused cell against its twin and torch.nn.GRUCell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DIM, DTYPES, assert_close

from parsimony.kernels.dense import TILE, constant
from parsimony.kernels.redgnn.gru import BLOCK, gru_backward, gru_forward, gru_reference


@st.composite
def cells(draw):
    """A GRU cell whose first n_old rows continue states, several of them the same."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.one_of(st.integers(0, 6), st.integers(BLOCK - 1, 2 * BLOCK + 1)))
    n_old = draw(st.integers(0, n_rows))
    n_sources = draw(st.integers(1, 5))
    scale = draw(st.sampled_from([0.5, 3.0]))
    shapes = {
        "input": (n_rows, DIM),
        "hidden": (n_sources, DIM),
        "W_ih": (3 * DIM, DIM),
        "W_hh": (3 * DIM, DIM),
        "b_ih": (3 * DIM,),
        "b_hh": (3 * DIM,),
        "d_out": (n_rows, DIM),
        "before": (2, 3 * DIM),
        "d_hidden": (n_sources, DIM),
    }
    previous = rng.integers(0, n_sources, n_old).astype(np.int32)
    return previous, {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}


def forward(cell, dtype):
    """Run the kernel: the inputs in dtype, what the backward pass reads, and the new state."""
    previous, c = cell[0], {name: x.astype(dtype) for name, x in cell[1].items()}
    n_rows = len(c["input"])
    gate = np.full((n_rows, 3 * DIM), np.nan, dtype)
    y_n = np.full((len(previous), DIM), np.nan, dtype)
    out = np.full((n_rows, DIM), np.nan, dtype)
    gru_forward(
        TILE, constant(DIM), c["input"], c["hidden"], previous, np.ascontiguousarray(c["W_ih"].T),
        np.ascontiguousarray(c["W_hh"].T), c["b_ih"], c["b_hh"], gate, y_n, out,
    )  # fmt: skip
    return c, gate, y_n, out


@pytest.mark.parametrize("dtype", DTYPES)
@given(cell=cells())
@settings(deadline=None, max_examples=60)
def test_forward(dtype, cell):
    *_, out = forward(cell, dtype)
    previous, c = cell
    old = np.zeros_like(c["input"])
    old[: len(previous)] = c["hidden"][previous]
    expected = gru_reference(
        c["input"] @ c["W_ih"].T + c["b_ih"], old @ c["W_hh"].T + c["b_hh"], old
    )
    assert_close(out, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(cell=cells())
@settings(deadline=None, max_examples=60)
def test_values_and_gradients_are_those_of_torch(dtype, cell):
    previous, given_cell = cell
    module = torch.nn.GRUCell(DIM, DIM, dtype=torch.float64)
    with torch.no_grad():
        for name in ("ih", "hh"):
            getattr(module, f"weight_{name}").copy_(torch.from_numpy(given_cell[f"W_{name}"]))
            getattr(module, f"bias_{name}").copy_(torch.from_numpy(given_cell[f"b_{name}"]))
    given_input = torch.from_numpy(given_cell["input"].copy()).requires_grad_()
    hidden = torch.from_numpy(given_cell["hidden"].copy()).requires_grad_()
    n_new = len(given_input) - len(previous)
    state = torch.cat([hidden[previous.astype(np.int64)], hidden.new_zeros(n_new, DIM)])
    expected = module(given_input, state)
    expected.backward(torch.from_numpy(given_cell["d_out"]))

    c, gate, y_n, out = forward(cell, dtype)
    assert_close(out, expected.detach().numpy(), dtype)
    d_x = np.full(c["input"].shape, np.nan, dtype)
    before = given_cell["before"]
    d_hidden, d_b_ih, d_b_hh = c["d_hidden"].copy(), c["before"][0].copy(), c["before"][1].copy()
    d_w_ih, d_w_hh = c["W_ih"].copy(), c["W_hh"].copy()  # to be added to
    gru_backward(
        TILE, constant(DIM), c["input"], c["hidden"], previous, c["W_ih"], c["W_hh"], c["b_hh"],
        gate, y_n, c["d_out"], d_x, d_hidden, d_w_ih, d_w_hh, d_b_ih, d_b_hh,
    )  # fmt: skip
    assert_close(d_x, given_input.grad.numpy(), dtype)
    assert_close(d_hidden, given_cell["d_hidden"] + hidden.grad.numpy(), dtype)
    assert_close(d_w_ih, given_cell["W_ih"] + module.weight_ih.grad.numpy(), dtype)
    assert_close(d_w_hh, given_cell["W_hh"] + module.weight_hh.grad.numpy(), dtype)
    assert_close(d_b_ih, before[0] + module.bias_ih.grad.numpy(), dtype)
    assert_close(d_b_hh, before[1] + module.bias_hh.grad.numpy(), dtype)
