"""The L1 path against scikit-learn, and the shared weights against their gradient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from parsimony.ddi.metapaths.sparse_logistic import Features, SparseLogistic

#: An odd number of classes: else shifting a feature's weights may leave their L1 norm as it is.
N, F, K, S = 120, 9, 5, 3


@pytest.fixture()
def drawn():
    rng = np.random.default_rng(0)
    x = rng.poisson(0.8, (N, F)) * rng.uniform(0.5, 3, F)
    z = rng.poisson(0.5, (N, K, S)).astype(float)
    truth = rng.standard_normal((F, K)) * (rng.random((F, K)) < 0.4)
    logits = x @ truth + z @ np.array([1.0, -0.5, 0.0])
    labels = (logits + rng.gumbel(size=(N, K))).argmax(1)
    return x, z, labels


def features(x, z):
    return Features(sparse.csr_array(x), sparse.csr_array(z.reshape(N * K, z.shape[2])))


def test_the_solution_is_scikit_learns(drawn):
    linear = pytest.importorskip("sklearn.linear_model")
    x, z, labels = drawn
    x = (x - x.mean(0)) / x.std(0)  # what ours does by itself
    problem = SparseLogistic(features(x, z[:, :, :0]), labels, K, np.ones(N))
    penalty = 0.1 * problem.largest_penalty
    ours = problem.solve(penalty, tolerance=1e-7, iterations=5000)
    twin = linear.LogisticRegression(
        solver="saga", l1_ratio=1.0, C=1 / (N * penalty), tol=1e-9, max_iter=20000
    ).fit(x, labels)
    np.testing.assert_allclose(ours.own.T, twin.coef_, atol=1e-4)
    assert 0 < ours.nonzero < ours.own.size
    np.testing.assert_array_equal(ours.own.T != 0, np.abs(twin.coef_) > 1e-5)
    gap = ours.intercept - twin.intercept_
    np.testing.assert_allclose(gap, gap.mean(), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_solution_is_optimal_in_raw_columns(drawn, dtype):
    """Subgradients by dense differentiation; examples that cost differently."""
    x, z, labels = drawn
    cost = np.linspace(0.5, 2, N)
    given = features(x.astype(dtype), z.astype(dtype))
    problem = SparseLogistic(given, labels, K, cost)
    penalty = 0.05 * problem.largest_penalty
    found = problem.solve(penalty, tolerance=1e-5, iterations=3000)
    logits = x @ found.own + z @ found.shared + found.intercept
    np.testing.assert_allclose(given.logits(found), logits, rtol=1e-4, atol=1e-4)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    slope = (p - np.eye(K)[labels]) * (cost / cost.sum())[:, None]
    np.testing.assert_allclose(slope.sum(0), 0, atol=1e-3 * penalty)
    own = x.T @ slope / x.std(0)[:, None]
    shared = np.einsum("nk,nks->s", slope, z) / np.sqrt((z**2).sum(1).mean(0))
    for gradient, weight in ((own, found.own), (shared, found.shared)):
        at = weight != 0
        np.testing.assert_allclose(gradient[at], -penalty * np.sign(weight[at]), rtol=5e-3)
        assert (np.abs(gradient[~at]) <= penalty * 1.005).all()
    assert found.shared[0] > 0 > found.shared[1]


def test_the_largest_penalty_leaves_no_weight(drawn):
    x, z, labels = drawn
    problem = SparseLogistic(features(x, z), labels, K, np.ones(N))
    nothing = problem.solve(problem.largest_penalty * 1.001)
    assert not nothing.own.any()
    assert not nothing.shared.any()
    shares = np.exp(nothing.intercept) / np.exp(nothing.intercept).sum()
    np.testing.assert_allclose(shares, np.bincount(labels, minlength=K) / N, atol=1e-4)
    some = problem.solve(problem.largest_penalty * 0.9)
    assert some.own.any() or some.shared.any()


def test_columns_that_say_nothing_get_no_weight(drawn):
    x, z, labels = drawn
    x[:, 3] = 2.0
    z[:, :, 1] = 0.0
    problem = SparseLogistic(features(x, z), labels, K, np.ones(N))
    found = problem.solve(0.01 * problem.largest_penalty)
    assert not found.own[3].any()
    assert found.shared[1] == 0
    assert np.isfinite(found.own).all()
