"""The predictor ranks what features can tell, and the evidence about it is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.search.test_trial_store import ROW

from parsimony.search.predictor import Predictor, rank_correlation
from parsimony.search.proxy_quality import predictor_quality, rung_quality
from parsimony.search.settings import Rung


@pytest.mark.parametrize("kind", ["ridge", "mlp"])
def test_it_learns_what_features_tell(kind):
    random = np.random.default_rng(0)
    x = random.integers(0, 2, (80, 22)).astype(float)
    x[:, 0] = 1.0  # a constant feature
    y = 0.3 + 0.1 * x[:, 3] - 0.05 * x[:, 7] + random.normal(0, 0.01, 80)
    said = Predictor(kind).fit(x[:60], y[:60]).predict(x[60:])
    rho = rank_correlation(said, y[60:])
    assert rho is not None
    assert rho > 0.8
    again = Predictor(kind).fit(x[:60], y[:60]).predict(x[60:])
    assert (said == again).all()


@pytest.mark.parametrize("kind", ["ridge", "mlp"])
def test_few_and_equal_scores_are_no_trouble(kind):
    x = np.eye(3)
    assert np.isfinite(Predictor(kind).fit(x[:1], np.array([0.5])).predict(x)).all()
    assert np.isfinite(Predictor(kind).fit(x, np.full(3, 0.5)).predict(x)).all()


def test_rank_correlation():
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_evidence_of_the_predictor():
    def row(predicted, valid, origin):
        return replace(ROW, predicted=predicted, valid=valid, origin=origin)

    start = [row(None, 0.1, "start")]
    first = [row(3, 0.5, "predictor"), row(2, 0.4, "predictor"), row(1, 0.3, "chance")]
    second = [row(3, 0.3, "predictor"), row(2, 0.4, "predictor"), row(1, 0.5, "chance")]
    found = predictor_quality([start, first, second])
    assert found is not None
    assert found["rank_correlation"] == pytest.approx(0)
    assert found["lift"] == pytest.approx((0.15 - 0.15) / 2)
    assert (found["rounds"], found["trials"]) == (2, 6)
    assert predictor_quality([start]) is None


def test_evidence_of_the_rungs():
    low = [replace(ROW, canonical=str(i), valid=i / 10) for i in range(6)]
    high = [replace(ROW, canonical=str(i), dim=16, valid=i / 5) for i in range(2, 6)]
    (found,) = rung_quality([Rung(8, 5), Rung(16, 5)], low + high)
    assert found["structures"] == 4
    assert found["rank_correlation"] == pytest.approx(1)
    assert found["from"] == "8d × 5 epochs"
