"""Scores become probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.molecules.calibration import BalancedCalibration
from parsimony.molecules.evaluation import EpisodeScores, Scored


def episodes(share, n=40_000, seed=0):
    """Scores N(±1, 1): the log likelihood ratio is 2 s."""
    draw = np.random.default_rng(seed)
    answers = (draw.random(n) < share).astype(np.int8)
    return Scored(0, answers, draw.normal(np.where(answers == 1, 1.0, -1.0), 1.0))


@pytest.mark.parametrize("learned_on", [0.5, 0.1])
def test_the_ratio_is_found_whatever_the_share_it_was_learned_on(learned_on):
    found = BalancedCalibration.learn(EpisodeScores((episodes(learned_on),), 1, 0, 0.0))
    assert found.slope / found.scale == pytest.approx(2.0, rel=0.05)
    for share in (0.5, 0.05):
        asked = episodes(share, seed=1)
        p = found.probability(asked.score, share)
        assert p.mean() == pytest.approx(share, abs=0.01)
        true = 1 / (1 + np.exp(-(2 * asked.score + np.log(share / (1 - share)))))
        assert np.abs(p - true).max() < 0.05


def test_a_score_that_tells_nothing_gives_the_share():
    draw = np.random.default_rng(0)
    noise = Scored(0, (draw.random(1000) < 0.3).astype(np.int8), draw.normal(size=1000))
    found = BalancedCalibration.learn(EpisodeScores((noise,), 1, 0, 0.0))
    np.testing.assert_allclose(found.probability(np.array([-1.0, 1.0]), 0.2), 0.2, atol=0.05)
    turned = Scored(0, noise.answers, -(noise.answers.astype(float)))
    assert BalancedCalibration.learn(EpisodeScores((turned,), 1, 0, 0.0)).slope == 0
