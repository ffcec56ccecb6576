"""nDCG with ties, against all orders of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.metrics.rating import measure_user, ndcg


def plain(truth, order, k):
    gain = 2.0 ** np.asarray(truth) - 1
    found = sum(gain[i] / np.log2(place + 2) for place, i in enumerate(order[:k]))
    ideal = sum(g / np.log2(place + 2) for place, g in enumerate(sorted(gain)[::-1][:k]))
    return found / ideal if ideal > 0 else 1.0


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=6),
    st.integers(1, 6),
)
def test_ties_count_as_the_mean_over_their_orders(rows, k):
    truth, predicted = map(list, zip(*rows, strict=True))
    orders = [
        order for order in itertools.permutations(range(len(rows)))
        if all(predicted[a] >= predicted[b] for a, b in itertools.pairwise(order))
    ]  # fmt: skip
    expected = np.mean([plain(truth, order, k) for order in orders])
    assert ndcg(np.array(truth), np.array(predicted, float), k) == pytest.approx(expected)


def test_measures_of_one_user():
    mse, mae, _, best = measure_user(np.array([0.0, 1.0, 1.0]), np.array([0.5, 0.5, 1.0]))
    assert mse == pytest.approx(1 / 6)
    assert mae == pytest.approx(1 / 3)
    assert best == pytest.approx((1 + 0.5 / np.log2(3) + 0.25) / (1 + 1 / np.log2(3)))
    assert ndcg(np.zeros(3), np.arange(3.0), 3) == 1.0
