"""The fused attention–message–sum against its twins, and the twins against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import ATTENTION_DIM, DIM, DTYPES, assert_close

from parsimony.kernels.redgnn.attention import (
    attention_backward_reference,
    attention_kernels,
    attention_reference,
    projection_gradients,
)

GRADIENTS = ("d_a", "d_p", "d_w", "d_b", "d_hidden", "d_embedding")


@st.composite
def layers(draw):
    """In-edges of rows (some without any), in float64."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_sources = draw(st.integers(0, 6)), draw(st.integers(1, 5))
    n_relations = draw(st.integers(1, 5))
    degree = rng.integers(0, draw(st.integers(1, 6)), n_rows)
    indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int64)
    m = int(indptr[-1])
    scale = draw(st.sampled_from([1.0, 1.0, 10.0]))
    return {
        "indptr": indptr,
        "source": rng.integers(0, n_sources, m).astype(np.int32),
        "relation": rng.integers(0, n_relations, m).astype(np.int32),
        "a": scale * rng.standard_normal((n_sources, ATTENTION_DIM)),
        "p": scale * rng.standard_normal((n_relations, ATTENTION_DIM)),
        "w": rng.standard_normal(ATTENTION_DIM),
        "b": rng.standard_normal(1),
        "hidden": rng.standard_normal((n_sources, DIM)),
        "embedding": rng.standard_normal((n_relations, DIM)),
        "d_out": rng.standard_normal((n_rows, DIM)),
        "before": rng.standard_normal((64, 64)),
    }


def cast(layer, dtype):
    return {name: x.astype(dtype) if x.dtype.kind == "f" else x for name, x in layer.items()}


def forward_inputs(x):
    names = ("indptr", "source", "relation", "a", "p", "w", "b", "hidden", "embedding")
    return [x[name] for name in names]


@pytest.mark.parametrize("dtype", DTYPES)
@given(layer=layers())
@settings(deadline=None, max_examples=60)
def test_forward(dtype, layer):
    alpha_expected, expected = attention_reference(*forward_inputs(layer))
    x = cast(layer, dtype)
    alpha = np.full(len(x["source"]), np.nan, dtype)
    out = np.full((len(x["indptr"]) - 1, DIM), np.nan, dtype)
    attention_kernels(DIM, ATTENTION_DIM).forward(*forward_inputs(x), alpha, out)
    assert_close(alpha, alpha_expected, dtype)
    assert_close(out, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(layer=layers())
@settings(deadline=None, max_examples=60)
def test_backward_adds_the_gradient(dtype, layer):
    alpha, _ = attention_reference(*forward_inputs(layer))
    inputs = [*forward_inputs(layer)[:6], layer["hidden"], layer["embedding"], alpha]
    expected = attention_backward_reference(*inputs, layer["d_out"])
    x = cast(layer, dtype)
    # The sign of a + p decides ReLU's branch: take float32's own where it differs.
    before = [x["before"].ravel()[: g.size].reshape(g.shape) for g in expected]
    d_a, d_p, d_w, *sums = (b.copy() for b in before)
    c_a, c_p = np.zeros_like(d_a), np.zeros_like(d_p)
    attention_kernels(DIM, ATTENTION_DIM).backward(
        *forward_inputs(x)[:5], x["hidden"], x["embedding"], alpha.astype(dtype), x["d_out"],
        c_a, c_p, *sums,
    )  # fmt: skip
    d_w += projection_gradients(x["a"], x["p"], x["w"], c_a, c_p)
    sums = [d_a + c_a, d_p + c_p, d_w, *sums]
    for name, total, start, gradient in zip(GRADIENTS, sums, before, expected, strict=True):
        try:
            assert_close(total, start.astype(np.float64) + gradient, dtype)
        except AssertionError as error:
            raise AssertionError(name) from error


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_slice_of_rows_is_a_block(dtype):
    """Propagation calls the kernels block by block with the whole edge arrays."""
    rng = np.random.default_rng(3)
    indptr = np.array([0, 2, 2, 5, 7], np.int64)
    x = {
        "indptr": indptr,
        "source": rng.integers(0, 4, 7).astype(np.int32),
        "relation": rng.integers(0, 3, 7).astype(np.int32),
        "a": rng.standard_normal((4, ATTENTION_DIM)).astype(dtype),
        "p": rng.standard_normal((3, ATTENTION_DIM)).astype(dtype),
        "w": rng.standard_normal(ATTENTION_DIM).astype(dtype),
        "b": rng.standard_normal(1).astype(dtype),
        "hidden": rng.standard_normal((4, DIM)).astype(dtype),
        "embedding": rng.standard_normal((3, DIM)).astype(dtype),
    }
    alpha, out = np.zeros(7, dtype), np.zeros((4, DIM), dtype)
    for block in (slice(0, 1), slice(1, 3), slice(3, 4)):
        inputs = forward_inputs(x)
        inputs[0] = indptr[block.start : block.stop + 1]
        attention_kernels(DIM, ATTENTION_DIM).forward(*inputs, alpha, out[block])
    expected_alpha, expected = attention_reference(*forward_inputs(x))
    assert_close(alpha, expected_alpha, dtype)
    assert_close(out, expected, dtype)


@given(layer=layers())
@settings(deadline=None, max_examples=20)
def test_the_twin_is_what_autograd_finds(layer):
    names = ("a", "p", "w", "b", "hidden", "embedding")
    t = {name: torch.from_numpy(layer[name].copy()).requires_grad_() for name in names}
    source, relation = (torch.from_numpy(layer[n].astype(np.int64)) for n in ("source", "relation"))
    target = torch.from_numpy(
        np.repeat(np.arange(len(layer["indptr"]) - 1), np.diff(layer["indptr"]))
    )
    alpha = torch.sigmoid(torch.relu(t["a"][source] + t["p"][relation]) @ t["w"] + t["b"])
    message = alpha[:, None] * (t["hidden"][source] + t["embedding"][relation])
    out = torch.zeros_like(torch.from_numpy(layer["d_out"])).index_add(0, target, message)
    out.backward(torch.from_numpy(layer["d_out"]))
    alpha_twin, out_twin = attention_reference(*forward_inputs(layer))
    assert_close(out_twin, out.detach().numpy(), np.float64)
    gradients = attention_backward_reference(
        *forward_inputs(layer)[:6], layer["hidden"], layer["embedding"], alpha_twin, layer["d_out"]
    )
    for name, gradient in zip(names, gradients, strict=True):
        assert_close(gradient, t[name].grad.numpy(), np.float64)
