"""Macro-F1, accuracy and κ against scikit-learn; bootstraps against drawing rows by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from parsimony.metrics.classification import (
    METRICS,
    classification_metrics,
    cluster_bootstrap,
    cluster_draws,
    macro_f1_by_cluster,
    paired_bootstrap,
)


def drawn(seed, n=200, labels=9, right=0.5):
    draw = np.random.default_rng(seed)
    true = draw.integers(0, labels - 2, n)  # two labels are only ever predicted
    guess = np.where(draw.random(n) < right, true, draw.integers(1, labels, n))
    return true, guess, draw.integers(0, 12, n)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    true, guess, _ = drawn(seed)
    found = classification_metrics(true, guess, 20)  # labels beyond those that occur count nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels that are only predicted
        assert found["macro_f1"] == pytest.approx(metrics.f1_score(true, guess, average="macro"))
        assert found["macro_f1_true_labels"] == pytest.approx(
            metrics.f1_score(true, guess, average="macro", labels=np.unique(true))
        )
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, guess))
    assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(true, guess))
    assert found["macro_f1_true_labels"] != found["macro_f1"]


def test_the_cluster_bootstrap_draws_whole_drugs():
    """The same draws, once more by gathering the rows of every drawn drug."""
    true, guess, drug = drawn(3)
    generator, names = np.random.default_rng(5), np.unique(drug)
    found = []
    for _ in range(40):
        picks = names[generator.integers(len(names), size=len(names))]
        rows = np.concatenate([np.flatnonzero(drug == pick) for pick in picks])
        found.append(list(classification_metrics(true[rows], guess[rows], 9).values()))
    expected = np.quantile(found, [0.025, 0.975], axis=0)
    intervals = cluster_bootstrap(true, guess, drug, 9, draws=40, seed=5)
    for column, name in enumerate(METRICS):
        assert intervals[name] == pytest.approx(expected[:, column])


def test_drugs_that_stand_or_fall_together_widen_the_interval():
    true = np.zeros(400, int)
    drug = np.repeat(np.arange(8), 50)
    guess = (drug % 2).astype(int)  # half of the drugs are wrong throughout
    clustered = cluster_bootstrap(true, guess, drug, 2, draws=200)["accuracy"]
    single = cluster_bootstrap(true, guess, np.arange(400), 2, draws=200)["accuracy"]
    assert clustered[1] - clustered[0] > 3 * (single[1] - single[0])


def test_the_paired_bootstrap_is_the_difference_over_the_same_draws():
    true, guess, drug = drawn(1, right=0.8)
    other = drawn(1, right=0.2)[1]
    found = paired_bootstrap(true, guess, other, drug, 9, draws=100)
    a, b = (classification_metrics(true, g, 9) for g in (guess, other))
    for name in METRICS:
        assert found[name]["difference"] == pytest.approx(a[name] - b[name])
        assert found[name]["low"] <= found[name]["difference"] <= found[name]["high"]
    assert found["accuracy"]["worse"] == 0.0
    same = paired_bootstrap(true, guess, guess, drug, 9, draws=20)["macro_f1"]
    assert same == {"difference": 0.0, "low": 0.0, "high": 0.0, "worse": 1.0}


def test_the_parts_of_macro_f1_are_its_derivative_by_cluster():
    rng = np.random.default_rng(0)
    true, cluster = rng.integers(0, 5, 4000), rng.integers(0, 120, 4000)
    predicted = np.where(rng.random(4000) < 0.6, true, rng.integers(0, 6, 4000))
    parts = macro_f1_by_cluster(true, predicted, cluster, 7)
    macro = classification_metrics(true, predicted, 7)["macro_f1"]
    assert parts.mean() == pytest.approx(macro)
    for g in (0, 17):  # a cluster that counts a little more
        twice = np.concatenate([np.tile(np.arange(4000), 200), np.flatnonzero(cluster == g)])
        more = classification_metrics(true[twice], predicted[twice], 7)["macro_f1"]
        assert 120 * 200 * (more - macro) == pytest.approx(parts[g] - macro, rel=0.02, abs=1e-4)
    drawn = cluster_draws(true, predicted, cluster, 7, draws=400)[1:, 0]
    assert parts.std() / np.sqrt(120) == pytest.approx(drawn.std(), rel=0.15)
