"""nDCG with ties, against all orders of them, and whatever unit ratings are in."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.metrics.rating import gains, measure_user, ndcg


def plain(gain, order, k):
    found = sum(gain[i] / np.log2(place + 2) for place, i in enumerate(order[:k]))
    ideal = sum(g / np.log2(place + 2) for place, g in enumerate(sorted(gain)[::-1][:k]))
    return found / ideal


ROWS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=6)


@given(ROWS, st.integers(1, 6))
def test_ties_count_as_the_mean_over_their_orders(rows, k):
    stars, predicted = map(list, zip(*rows, strict=True))
    orders = [
        order for order in itertools.permutations(range(len(rows)))
        if all(predicted[a] >= predicted[b] for a, b in itertools.pairwise(order))
    ]  # fmt: skip
    expected = np.mean([plain([2.0**r - 1 for r in stars], order, k) for order in orders])
    gain = gains((np.array(stars) - 1) / 4)
    assert ndcg(gain, np.array(predicted, float), k) == pytest.approx(expected)


@given(ROWS, st.integers(1, 6))
def test_scikit_learn_agrees(rows, k):
    sklearn = pytest.importorskip("sklearn.metrics")
    if len(rows) < 2:
        return
    stars, predicted = map(list, zip(*rows, strict=True))
    gain = gains((np.array(stars) - 1) / 4)
    expected = sklearn.ndcg_score([gain], [predicted], k=k)
    assert ndcg(gain, np.array(predicted, float), k) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 2**32 - 1))
def test_gains_rise_from_above_0_to_1(ratings, seed):
    gain = gains(np.array(ratings))
    assert ((gain > 0) & (gain <= 1)).all()
    order = np.argsort(ratings)
    assert (np.diff(gain[order]) >= 0).all()
    predicted = np.random.default_rng(seed).random(len(ratings))
    assert 0 < ndcg(gain, predicted, 5) <= 1
    assert ndcg(gain, gain, 5) == pytest.approx(1)


def test_a_yes_or_a_no():
    yes = gains(np.array([0.0, 1.0, 1.0]), binary=True)
    assert yes.tolist() == [0, 1, 1]
    best = ndcg(yes, np.array([0.5, 0.5, 1.0]), 5)
    assert best == pytest.approx((1 + 0.5 / np.log2(3) + 0.25) / (1 + 1 / np.log2(3)))
    assert math.isnan(ndcg(np.zeros(3), np.arange(3.0), 3))  # nothing to find


def test_errors_are_in_units_of_the_ratings():
    mse, mae, _, _ = measure_user(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.5, 1.0]), width=4)
    assert mse == pytest.approx(16 / 6)
    assert mae == pytest.approx(4 / 3)
