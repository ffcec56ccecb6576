"""Profiles: what the training tasks tell of a molecule, its own labels left out."""

from __future__ import annotations

import numpy as np

from parsimony.molecules.meta.assay_profile import Profile


def random_data(seed=0, n=40, d=6, tasks=3):
    drawn = np.random.default_rng(seed)
    labels = drawn.integers(0, 2, (n, tasks)).astype(np.int8)
    labels[drawn.random(labels.shape) < 0.2] = -1
    return drawn.normal(size=(n, d)).astype(np.float32), labels


def test_a_molecules_own_labels_are_left_out():
    x, labels = random_data()
    profile = Profile.learn(x, labels, penalty=2.0)
    p = np.where(labels >= 0, (labels - profile.mean) / profile.scale, 0)
    for i in (0, 7, 39):
        rest = np.arange(len(x)) != i
        gram = x[rest].T @ x[rest] + 2.0 * np.eye(x.shape[1])
        without = x[i] @ np.linalg.solve(gram, x[rest].T @ p[rest])
        np.testing.assert_allclose(profile.own[i], without, rtol=1e-3, atol=1e-4)


def test_unmeasured_labels_are_zero_and_predictions_have_unit_spread():
    x, labels = random_data(1)
    values = Profile.learn(x, labels, 2.0).of_data(labels)
    assert (values.measured[labels < 0] == 0).all()
    assert np.array_equal(values.missing == 1, labels < 0)
    np.testing.assert_allclose(values.predicted.std(0), 1, rtol=1e-4)
    for column, label in zip(values.measured.T, labels.T, strict=True):
        known = label >= 0
        np.testing.assert_allclose([column[known].mean(), column[known].std()], [0, 1], atol=1e-4)


def test_new_molecules_have_predictions_alone():
    x, labels = random_data(2)
    profile = Profile.learn(x, labels, 2.0)
    new = profile.of_new(x[:5])
    np.testing.assert_allclose(new.measured, x[:5] @ profile.weights, rtol=1e-5)
    np.testing.assert_allclose(
        new.missing, np.broadcast_to((labels < 0).mean(0), (5, 3)), rtol=1e-6
    )


def test_a_molecule_that_nobody_measured_teaches_nothing_and_is_predicted():
    x, labels = random_data(3)
    labels[4] = -1
    rest = np.arange(len(x)) != 4
    profile = Profile.learn(x, labels, 2.0)
    without = Profile.learn(x[rest], labels[rest], 2.0)
    np.testing.assert_allclose(profile.weights, without.weights, rtol=1e-4, atol=1e-6)
    values = profile.of_data(labels)
    np.testing.assert_allclose(values.measured[4], without.of_new(x[4:5]).measured[0], rtol=1e-4)
    np.testing.assert_allclose(values.missing[4], profile.missing)
