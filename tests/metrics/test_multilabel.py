"""PR-AUC and ROC-AUC with ties, against scikit-learn and against counting couples."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.errors import InvalidParameter, TrainingDiverged
from parsimony.metrics.multilabel import (
    _contrasts,
    _times,
    average_precision,
    contrast_bootstrap,
    contrast_metrics,
    contrast_paired_bootstrap,
    multilabel_metrics,
    roc_auc,
)


def drawn(seed, values=5, n=60, labels=4):
    """Few distinct scores, so that most are tied."""
    draw = np.random.default_rng(seed)
    true = draw.random((n, labels)) < 0.3
    true[0], true[1] = True, False
    return true, draw.integers(0, values, (n, labels)) / values


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [2, 5, 10_000])
def test_agrees_with_scikit_learn(seed, values):
    metrics = pytest.importorskip("sklearn.metrics")
    true, score = drawn(seed, values)
    found = multilabel_metrics(true, score)
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(true, score))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(true, score))


def test_roc_auc_is_the_share_of_couples_in_order():
    true, score = (a[:, 0] for a in drawn(7))
    couples = [np.sign(p - q) for p in score[true] for q in score[~true]]
    assert roc_auc(true, score) == pytest.approx((np.mean(couples) + 1) / 2)


def test_equal_scores_earn_nothing_from_the_order_of_rows():
    """A label-sorted file must not look better than a shuffled one."""
    true = np.array([True] * 3 + [False] * 7)
    for rows in (true, true[::-1]):
        assert average_precision(rows, np.zeros(10)) == pytest.approx(0.3)
        assert roc_auc(rows, np.zeros(10)) == pytest.approx(0.5)


def test_labels_without_both_kinds_are_left_out_and_counted():
    true, score = drawn(1)
    wider = np.column_stack([true, np.zeros(60, bool), np.ones(60, bool)])
    more = np.column_stack([score, score[:, :2]])
    assert multilabel_metrics(wider, more) == multilabel_metrics(true, score)
    assert multilabel_metrics(wider, more)["labels"] == 4


def test_what_cannot_be_measured_is_refused():
    true, score = drawn(2)
    with pytest.raises(TrainingDiverged, match="NaN"):
        multilabel_metrics(true, np.where(true, np.nan, score))
    with pytest.raises(InvalidParameter, match="both"):
        multilabel_metrics(np.zeros_like(true), score)
    with pytest.raises(InvalidParameter, match="n_labels"):
        multilabel_metrics(true[:, :2], score)


def contrasts(seed, n=40, n_labels=6, levels=4):
    """Rows with labels; few distinct scores, so that there are ties."""
    draw = np.random.default_rng(seed)
    labels = draw.random((n, n_labels)) < 0.3
    labels[:, 0] = False  # nobody carries it
    labels[0, 1:] = True
    score, corrupted = draw.integers(levels, size=(2, n, n_labels)) / levels
    return labels, score, corrupted, draw.integers(8, size=n)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [3, 1000])
def test_contrasts_agree_with_scikit_learn(seed, levels):
    metrics = pytest.importorskip("sklearn.metrics")
    labels, score, corrupted, _ = contrasts(seed, levels=levels)
    pr, roc = [], []
    for j in np.flatnonzero(labels.any(0)):
        rows = labels[:, j]
        true = np.repeat([1, 0], rows.sum())
        both = np.concatenate([score[rows, j], corrupted[rows, j]])
        pr.append(metrics.average_precision_score(true, both))
        roc.append(metrics.roc_auc_score(true, both))
    found = contrast_metrics(labels, score, corrupted)
    assert found == pytest.approx({"pr_auc": np.mean(pr), "roc_auc": np.mean(roc)}, abs=1e-12)


def test_a_constant_score_gets_a_half_and_a_perfect_one_all():
    labels, score, _, _ = contrasts(0)
    same = np.zeros_like(score)
    assert contrast_metrics(labels, same, same) == {"pr_auc": 0.5, "roc_auc": 0.5}
    assert contrast_metrics(labels, same + 1, same) == {"pr_auc": 1.0, "roc_auc": 1.0}


def test_drawn_clusters_count_as_often_as_they_are_drawn():
    """Each draw equals the measure of rows that are written out as often."""
    labels, score, corrupted, cluster = contrasts(3)
    times = _times(cluster, 20, seed=1)
    drawn = _contrasts(labels, score, corrupted, times)
    for row, values in zip(times.astype(int), drawn, strict=True):
        at = np.repeat(np.arange(len(labels)), row)
        found = contrast_metrics(labels[at], score[at], corrupted[at])
        np.testing.assert_allclose(values, list(found.values()), atol=1e-12)


def test_bootstraps_hold_the_measure_and_their_difference():
    labels, score, corrupted, cluster = contrasts(4, n=200)
    better = score + 0.5
    whole = contrast_metrics(labels, better, corrupted)
    for name, (low, high) in contrast_bootstrap(labels, better, corrupted, cluster).items():
        assert low <= whole[name] <= high
    found = contrast_paired_bootstrap(labels, (better, corrupted), (score, corrupted), cluster)
    chance = contrast_metrics(labels, score, corrupted)
    for name, d in found.items():
        assert d["difference"] == pytest.approx(whole[name] - chance[name])
        assert d["low"] > 0 and d["worse"] == 0
    same = contrast_paired_bootstrap(labels, (score, corrupted), (score, corrupted), cluster)
    assert all(d["worse"] == 1 for d in same.values())


def test_contrasts_without_labels_or_numbers_are_refused():
    labels, score, corrupted, _ = contrasts(0)
    with pytest.raises(InvalidParameter, match="no row has"):
        contrast_metrics(np.zeros_like(labels), score, corrupted)
    with pytest.raises(TrainingDiverged, match="NaN"):
        contrast_metrics(labels, score * np.nan, corrupted)
    with pytest.raises(InvalidParameter, match="n_labels"):
        contrast_metrics(labels, score[:, :2], corrupted)
