"""The simulated emergence: a pair that is asked is never in its own graph."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony import errors
from parsimony.ddi.emergence import simulate_emergence


def some_pairs(n=600, drugs=50):
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, top, n) for top in (drugs, 7, drugs)], 1).astype(np.int32)


@pytest.mark.parametrize("setting", ["S1", "S2"])
def test_new_drugs_have_no_fact(setting):
    pairs = some_pairs()
    active, asked = simulate_emergence(pairs, setting, np.random.default_rng(1))
    known = set(pairs[active == 1][:, [0, 2]].ravel())
    fresh = [sum(drug not in known for drug in pairs[i, [0, 2]]) for i in asked]
    assert len(asked)
    assert set(fresh) == {int(setting[1])}
    # a fifth of 50 drugs; every other pair of two known ones is a fact
    drugs = set(pairs[:, [0, 2]].ravel())
    assert len(drugs) - len(known) == 10
    both = sum(a in known and b in known for a, _, b in pairs)
    assert active.sum() == both


def test_in_s0_every_pair_is_a_fact_or_asked():
    pairs = some_pairs()
    active, asked = simulate_emergence(pairs, "S0", np.random.default_rng(1))
    assert len(asked) == 120
    np.testing.assert_array_equal(np.flatnonzero(active == 0), asked)


def test_with_replacement_fewer_drugs_are_new():
    pairs = some_pairs(4000, 400)
    counts = []
    for replace in (False, True):
        active, _ = simulate_emergence(pairs, "S1", np.random.default_rng(2), replace=replace)
        counts.append(400 - len(np.unique(pairs[active == 1][:, [0, 2]])))
    assert counts[0] == 80
    # 1 − e^−0.2 = 18.1 % of 400, standard deviation about 3
    assert counts[1] == pytest.approx(72, abs=7)


def test_only_eligible_drugs_become_new():
    pairs = some_pairs()
    eligible = np.arange(10, dtype=np.int32)
    active, _ = simulate_emergence(
        pairs, "S1", np.random.default_rng(1), fraction=0.5, eligible=eligible
    )
    assert set(range(10, 50)) <= set(pairs[active == 1][:, [0, 2]].ravel())


def test_errors():
    with pytest.raises(errors.InvalidParameter, match="fraction"):
        simulate_emergence(some_pairs(), "S1", np.random.default_rng(0), fraction=1.0)
    with pytest.raises(errors.InvalidParameter, match="setting"):
        simulate_emergence(some_pairs(), "S3", np.random.default_rng(0))
