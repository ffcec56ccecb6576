"""The relation graph with shared supports and packed pairs against dense graphs a query."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from parsimony.kernels.molecules.pair_features import (  # noqa: E402
    pair_features,
    pair_features_backward,
    pair_features_backward_reference,
    pair_features_reference,
)
from parsimony.molecules.meta.relation_graph import Relation, relation_reference  # noqa: E402


@pytest.mark.parametrize("seed", range(3))
def test_pair_features_agree_with_their_twin(seed):
    drawn = np.random.default_rng(seed)
    x, y = drawn.normal(size=(7, 5)), drawn.normal(size=(4, 5))
    y[0] = x[0]  # no slope where they are equal
    first, second = drawn.integers(0, 7, 11), drawn.integers(0, 4, 11)
    first[0] = second[0] = 0
    out, g = np.empty((11, 5)), drawn.normal(size=(11, 5))
    pair_features(first, second, x, y, out)
    np.testing.assert_allclose(out, pair_features_reference(first, second, x, y), rtol=1e-12)
    d_x, d_y = np.zeros_like(x), np.zeros_like(y)
    pair_features_backward(first, second, x, y, out, g, d_x, d_y)
    expected = pair_features_backward_reference(first, second, x, y, g)
    np.testing.assert_allclose(d_x, expected[0], atol=1e-12)
    np.testing.assert_allclose(d_y, expected[1], atol=1e-12)


def graphs(shots, tasks=2, queries=5, width=6):
    torch.manual_seed(shots)
    relation = Relation(3, width, 8, 0.0).double()
    return (
        relation,
        torch.randn(tasks, 2 * shots, width, dtype=torch.float64, requires_grad=True),
        torch.randn(tasks, queries, width, dtype=torch.float64, requires_grad=True),
    )


@pytest.mark.parametrize("shots", [1, 4])
def test_every_layer_equals_dense_graphs(shots):
    relation, supports, queries = graphs(shots)
    plain = relation_reference(relation, supports, queries, shots)
    for ours, theirs in zip(relation.every(supports, queries, shots), plain, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shots", [1, 4])
def test_gradients_of_the_query_alone_equal_those_of_dense_graphs(shots):
    relation, supports, queries = graphs(shots)
    weight = torch.randn(2, 5, 6, dtype=torch.float64)

    def gradients(last):
        loss = (last.queries * weight).sum() + last.raw.square().sum()
        wanted = [supports, queries, *relation.parameters()]
        return loss, torch.autograd.grad(loss, wanted, allow_unused=True)

    ours = gradients(relation(supports, queries, shots))
    plain = gradients(relation_reference(relation, supports, queries, shots)[-1])
    torch.testing.assert_close(ours[0], plain[0])
    for a, b in zip(ours[1], plain[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_supports_alone_are_a_graph_without_a_query():
    relation, supports, _ = graphs(3)
    # A dense graph whose "query" is the last support, for all shots kept.
    plain = relation_reference(relation, supports[:, :-1], supports[:, -1:], 6)[-1]
    states, raw = relation.among_supports(supports, 6)
    torch.testing.assert_close(states[:, -1], plain.queries[:, 0])
    torch.testing.assert_close(states[:, :-1], plain.supports[:, 0])
    torch.testing.assert_close(raw[:, -1, :-1], plain.raw[:, 0])
    assert torch.equal(raw, raw.mT) and not raw.diagonal(dim1=1, dim2=2).any()
