"""Corruptions: one endpoint of the same role, never observed, the same for the same seed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ddi.small_labels import labelled

from parsimony.ddi.negatives import draw_negatives, unordered
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import DataError
from parsimony.run.seeds import rng


@st.composite
def observed_pairs(draw):
    n = draw(st.integers(3, 14))
    role = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    every = [(a, b) for a in range(n) for b in range(n) if a != b]
    pairs = draw(st.lists(st.sampled_from(every), min_size=1, max_size=30))
    return np.array(pairs, np.int32), role


@given(observed_pairs(), st.integers(0, 2**32))
def test_the_rule_of_corruptions(pairs_and_role, seed):
    pairs, role = pairs_and_role
    n = len(role)
    observed = unordered(pairs, n)
    taken = {frozenset(pair) for pair in pairs.tolist()}

    def possible(a, b):
        first = any(role[x] == role[a] and x != b and frozenset((x, b)) not in taken
                    for x in range(n))  # fmt: skip
        return first or any(role[x] == role[b] and x != a and frozenset((a, x)) not in taken
                            for x in range(n))  # fmt: skip

    if not all(possible(a, b) for a, b in pairs.tolist()):
        with pytest.raises(DataError, match="no negative is left"):
            draw_negatives(pairs, role, observed, np.random.default_rng(seed))
        return
    found = draw_negatives(pairs, role, observed, np.random.default_rng(seed))
    assert ((found != pairs).sum(1) == 1).all()
    np.testing.assert_array_equal(role[found], role[pairs])
    assert (found[:, 0] != found[:, 1]).all()
    assert not {frozenset(pair) for pair in found.tolist()} & taken
    again = draw_negatives(pairs, role, observed, np.random.default_rng(seed))
    np.testing.assert_array_equal(found, again)


def test_both_endpoints_are_replaced_by_every_drug_that_may():
    pairs = np.repeat([[0, 5]], 4000, 0).astype(np.int32)
    role = np.array([0, 0, 0, 0, -1, 1, 1, 1])
    found = draw_negatives(pairs, role, unordered(pairs, 8), np.random.default_rng(0))
    counts = {
        tuple(p): n for p, n in zip(*np.unique(found, axis=0, return_counts=True), strict=True)
    }
    assert set(counts) == {(1, 5), (2, 5), (3, 5), (0, 6), (0, 7)}
    assert abs(sum(n for (a, _), n in counts.items() if a) / 4000 - 0.5) < 0.03
    assert min(counts.values()) > 550


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_asked_corruptions_are_fixed_unobserved_and_of_the_same_roles(setting, split):
    data = labelled()
    task = DDITask(data, DDIOptions(setting=setting))
    asked = task.targets(split)
    everywhere = np.concatenate([rows[:, [0, 2]] for rows in data.pairs.values()])
    observed = {frozenset(pair) for pair in everywhere.tolist()}
    assert not {frozenset(pair) for pair in asked.negatives.tolist()} & observed
    np.testing.assert_array_equal(task.roles[asked.pairs], task.roles[asked.negatives])
    assert (task.roles[asked.pairs] > 0).sum(1).tolist() == [int(setting[1])] * len(asked)
    again = DDITask(labelled(), DDIOptions(setting=setting)).targets(split)
    np.testing.assert_array_equal(asked.negatives, again.negatives)
    assert asked.labels.sum() == len(task.pairs(split))


def test_training_draws_others_every_epoch_among_training_drugs():
    task = DDITask(labelled(), DDIOptions(setting="S1"))
    first, second = (task.training(rng(0, "epoch", k)) for k in (1, 2))
    same = task.training(rng(0, "epoch", 1))
    np.testing.assert_array_equal(first.negatives, same.negatives)
    assert (np.sort(first.negatives, 1) != np.sort(second.negatives, 1)).any(1).mean() > 0.5
    assert task.trained[first.negatives].all()
    observed = {frozenset((a, b)) for a, _, b in task.pairs("train").tolist()}
    assert not {frozenset(pair) for pair in first.negatives.tolist()} & observed


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_no_asked_pair_is_visible_in_either_order(setting):
    data = labelled()
    for split in ("valid", "test"):
        task = DDITask(data, DDIOptions(setting=setting))
        asked = {frozenset(pair) for pair in task.targets(split).pairs.tolist()}
        seen = {frozenset((a, b)) for a, _, b in task.visible(split).tolist()}
        assert asked and seen and not asked & seen


def test_a_pair_without_a_corruption_is_named():
    data = labelled()
    ends = [(a, b) for a in range(3) for b in range(a)]
    every = np.array([(a, 0, b) for a, b in ends], np.int32)
    whole = dataclasses.replace(data, pairs={"train": every, "valid_S0": every[:1]})
    with pytest.raises(DataError, match="Drug ol0 and Drug ol1 are observed with every"):
        DDITask(whole, DDIOptions(setting="S0")).targets("valid")
