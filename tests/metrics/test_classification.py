"""Classification measures against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.metrics.classification import (
    classification_metrics,
    cluster_bootstrap,
    paired_bootstrap,
)

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(labels)
@settings(deadline=None)  # the first call imports scikit-learn
def test_they_are_scikit_learns(rows):
    oracle = pytest.importorskip("sklearn.metrics")
    true, predicted = np.array(rows).T
    found = classification_metrics(true, predicted, 5)
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(true, predicted, average="macro"))
    assert found["macro_f1_true_labels"] == pytest.approx(
        oracle.f1_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
    )
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(true, predicted))
    if len(set(true.tolist()) | set(predicted.tolist())) > 1:
        assert found["kappa"] == pytest.approx(oracle.cohen_kappa_score(true, predicted))
    else:
        assert found["kappa"] == 1.0


def test_by_hand():
    found = classification_metrics(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), 4)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.5 + 0) / 3)
    assert found["macro_f1_true_labels"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert found["kappa"] == pytest.approx((0.5 - 6 / 16) / (1 - 6 / 16))


def test_intervals_are_over_clusters():
    """Ten drugs, each wholly right or wholly wrong: pairs within a drug add no certainty."""
    cluster = np.repeat(np.arange(10), 50)
    true = np.arange(500) % 2
    predicted = np.where(cluster < 7, true, 1 - true)
    low, high = cluster_bootstrap(true, predicted, cluster, 2, seed=1)["accuracy"]
    assert low < 0.5 < 0.7 < 0.9 < high + 0.05
    alone = cluster_bootstrap(true, predicted, np.arange(500), 2, seed=1)["accuracy"]
    assert alone[1] - alone[0] < (high - low) / 2
    assert cluster_bootstrap(true, predicted, cluster, 2, seed=1)["accuracy"] == [low, high]


def test_paired_differences():
    generator = np.random.default_rng(0)
    cluster = np.repeat(np.arange(40), 20)
    true = generator.integers(0, 3, 800)
    wrong = (true + 1) % 3
    good = np.where(generator.random(800) < 0.8, true, wrong)
    bad = np.where(generator.random(800) < 0.5, true, wrong)
    found = paired_bootstrap(true, good, bad, cluster, 3)["accuracy"]
    assert found["low"] < found["difference"] < found["high"]
    assert found["low"] > 0.2
    assert found["worse"] == 0.0
    same = paired_bootstrap(true, good, good, cluster, 3)["macro_f1"]
    assert (same["difference"], same["worse"]) == (0.0, 1.0)
