"""PR-AUC and ROC-AUC with ties, against scikit-learn and against counting couples."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.errors import InvalidParameter
from parsimony.measure.multilabel import average_precision, multilabel_metrics, roc_auc


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
    with pytest.raises(InvalidParameter, match="not a number"):
        multilabel_metrics(true, np.where(true, np.nan, score))
    with pytest.raises(InvalidParameter, match="both"):
        multilabel_metrics(np.zeros_like(true), score)
    with pytest.raises(InvalidParameter, match="n_labels"):
        multilabel_metrics(true[:, :2], score)
