"""Prediction sets hold what they promise where pairs are exchangeable, and are the sets defined."""

from __future__ import annotations

import numpy as np
import pytest
from tests.metrics.test_calibration import drawn

from parsimony.errors import InvalidParameter
from parsimony.metrics.bootstrap import bootstrap_interval, cluster_interval
from parsimony.metrics.conformal import conformal_threshold, covered, prediction_sets, reached


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_coverage_of_exchangeable_pairs(level):
    """Between level and level + 1 / (n + 1), over draws; a model that is too sure makes no odds."""
    n, held = 99, []
    for seed in range(300):
        p, true = drawn(n + 200, 5, 3.0, seed)
        q = conformal_threshold(p[:n], true[:n], level)
        inside = 1 - p[n:] <= q  # without the most probable label, which is always in
        held.append(inside[np.arange(200), true[n:]].mean())
        sets = prediction_sets(p[n:], q)
        assert covered(sets, true[n:]).mean() >= held[-1]
        assert sets.any(1).all()
    error = 3 * np.std(held) / np.sqrt(len(held))
    assert level - error <= np.mean(held) <= level + 1 / (n + 1) + error


def test_the_threshold_by_hand():
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    true = np.array([0, 0, 1, 0])  # scores .1 .4 .3 .8
    assert conformal_threshold(p, true, 0.6) == pytest.approx(0.4)  # rank ⌈5 · .6⌉ = 3
    assert conformal_threshold(p, true, 0.61) == pytest.approx(0.8)
    assert conformal_threshold(p, true, 0.8) == pytest.approx(0.8)  # 5 · .8 is 4, rounded or not
    assert conformal_threshold(p, true, 0.81) == np.inf
    sets = prediction_sets(p, 0.4)
    assert sets.tolist() == [[True, False], [True, False], [False, True], [False, True]]
    assert prediction_sets(p, 0.7).tolist()[1] == [True, True]
    assert prediction_sets(p, np.inf).all()
    assert prediction_sets(p, 0.05).sum(1).tolist() == [1, 1, 1, 1]
    assert covered(sets, true).tolist() == [True, True, True, False]


def test_the_pair_of_the_threshold_reaches_it_on_every_machine():
    p, true = np.array([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1]]), np.zeros(3, int)
    q = conformal_threshold(p, true, 0.5)  # of the first pair
    for elsewhere in (p, p - 3e-8, p + 3e-8, p.astype(np.float32)):
        np.testing.assert_array_equal(reached(elsewhere, q)[:, 0], [True, False, True])


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_a_level_is_a_fraction(level):
    with pytest.raises(InvalidParameter, match="level"):
        conformal_threshold(np.ones((3, 1)), np.zeros(3, int), level)


def test_intervals_over_clusters():
    generator = np.random.default_rng(0)
    cluster = np.repeat(np.arange(30), 40)
    values = np.repeat(generator.random(30) < 0.8, 40)
    low, high = cluster_interval(values, cluster, seed=1)
    groups = [values[cluster == c] for c in range(30)]
    naive = [
        np.concatenate([groups[i] for i in generator.integers(30, size=30)]).mean()
        for _ in range(1000)
    ]
    assert (low, high) == pytest.approx(np.quantile(naive, [0.025, 0.975]), abs=0.05)
    assert low < values.mean() < high
    alone = bootstrap_interval(values.astype(float))
    assert alone[1] - alone[0] < (high - low) / 3, "pairs of a drug are no independent evidence"
    assert cluster_interval(values, cluster, seed=1) == (low, high)
