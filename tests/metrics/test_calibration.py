"""Calibration measures against scikit-learn, SciPy and by hand; the temperature is the best one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from parsimony.errors import InvalidParameter
from parsimony.metrics.calibration import (
    brier_score,
    calibration_metrics,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    temper,
)


def drawn(n, n_labels, sharpness, seed=0):
    """Probabilities that are too sure by a factor, and labels of the true ones."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, n_labels)) * 2
    truth = softmax(logits, axis=1)
    true = (truth.cumsum(1) > generator.random((n, 1))).argmax(1)
    return softmax(logits * sharpness, axis=1), true


@given(st.integers(0, 1000), st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_temper_is_a_softmax_of_logs(seed, temperature):
    p, _ = drawn(5, 4, 1.5, seed)
    found = temper(p, temperature)
    np.testing.assert_allclose(found, softmax(np.log(p) / temperature, axis=1), rtol=1e-9)
    np.testing.assert_array_equal(found.argmax(1), p.argmax(1))


def test_temper_takes_zeros_and_single_precision():
    found = temper(np.array([[0.0, 0.25, 0.75]], np.float32), 1.0)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[0, 0.25, 0.75]], atol=1e-12)
    with pytest.raises(InvalidParameter):
        temper(found, 0.0)


@pytest.mark.parametrize("n", [20, 200, 2000])
def test_pairs_that_are_all_right_do_not_prove_certainty(n):
    p = np.full((n, 10), 0.02)
    true = np.arange(n) % 10
    p[np.arange(n), true] = 0.82
    sure = temper(p, fit_temperature(p, true))[np.arange(n), true]
    assert np.all(sure > 0.9)
    np.testing.assert_allclose(1 - sure, 0.9 / (n + 2), rtol=0.01)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_what_was_too_sure(sharpness):
    p, true = drawn(20000, 6, sharpness)
    temperature = fit_temperature(p, true)
    assert temperature == pytest.approx(sharpness, rel=0.04)
    before = negative_log_likelihood(p, true)
    after = negative_log_likelihood(temper(p, temperature), true)
    around = [negative_log_likelihood(temper(p, temperature * f), true) for f in (0.97, 1.03)]
    assert after <= min(before, *around) + 1e-9
    measured = calibration_metrics(p, true, temperature)
    assert measured["ece"] < 0.015
    if sharpness != 1:
        assert measured["ece_uncalibrated"] > 3 * measured["ece"]
    assert measured["nll"] == pytest.approx(after)


def test_a_temperature_needs_pairs():
    with pytest.raises(InvalidParameter, match="none"):
        fit_temperature(np.empty((0, 3)), np.empty(0, int))


def test_losses_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    p, true = drawn(300, 5, 1.7)
    labels = list(range(5))
    oracle = metrics.log_loss(true, p, labels=labels)
    assert negative_log_likelihood(p, true) == pytest.approx(oracle)
    one_hot = np.eye(5)[true]
    assert brier_score(p, true) == pytest.approx(np.square(p - one_hot).sum(1).mean())
    wide = np.stack([1 - p[:, 0], p[:, 0]], 1)  # two classes: twice the binary score
    binary = metrics.brier_score_loss(true == 0, p[:, 0])
    assert brier_score(wide, (true == 0).astype(int)) == pytest.approx(2 * binary)


def test_bins_are_scikit_learns():
    oracle = pytest.importorskip("sklearn.calibration").calibration_curve
    p, true = drawn(1500, 4, 1.5)
    top, right = p.max(1), p.argmax(1) == true
    accuracy, probability = oracle(right, top, n_bins=15, strategy="quantile")
    found = reliability(top, right)
    np.testing.assert_allclose([b.probability for b in found], probability, rtol=1e-9)
    np.testing.assert_allclose([b.accuracy for b in found], accuracy, rtol=1e-9)
    expected = sum(b.n * abs(a - q) for b, a, q in zip(found, accuracy, probability, strict=True))
    assert expected_calibration_error(top, right) == pytest.approx(expected / 1500)


def test_few_answers_make_few_bins():
    found = reliability(np.array([0.2, 0.9]), np.array([False, True]))
    assert [b.n for b in found] == [1, 1]
    assert expected_calibration_error(np.array([]), np.array([], bool)) == 0
