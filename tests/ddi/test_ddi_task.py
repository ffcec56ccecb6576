"""What is asked and what is visible: nothing leaks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.ddi.small_pairs import families

from parsimony.ddi.background import load_background
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import DataError, EmptySplit, InvalidParameter


def unordered(rows):
    return {frozenset((a, b)) for a, _, b in rows.tolist()}


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_no_asked_pair_is_visible_in_either_order(setting, split):
    data = families()
    # A copy of an asked pair, turned round, in the training pairs of S0.
    turned = data.pairs["test_S0"][:3, [2, 1, 0]]
    train = np.concatenate([data.pairs["train"], turned])
    data = dataclasses.replace(data, pairs={**data.pairs, "train": train})
    task = DDITask(data, DDIOptions(setting=setting))
    assert not unordered(task.pairs(split)) & unordered(task.visible(split))
    if setting == "S0" and split == "test":
        assert not unordered(turned) & unordered(task.visible("test"))


def test_validation_is_known_at_test_time_unless_told_otherwise():
    task = DDITask(families(), DDIOptions(setting="S1"))
    n = len(task.pairs("train"))
    assert len(task.visible("test")) == n + len(task.pairs("valid"))
    assert len(task.visible("valid")) == n
    alone = DDITask(families(), DDIOptions(setting="S1", test_graph="train"))
    assert len(alone.visible("test")) == n


def test_a_drug_on_two_sides_is_a_leak():
    data = families()
    leak = np.concatenate([data.pairs["train"], data.pairs["test_S1"][:1]])
    data = dataclasses.replace(data, pairs={**data.pairs, "train": leak})
    with pytest.raises(DataError, match=r"valid_S1|test_S1") as caught:
        DDITask(data, DDIOptions(setting="S1"))
    assert "must be new" in caught.value.remedy
    DDITask(data, DDIOptions(setting="S0"))


def test_the_emerging_drug_of_every_pair():
    task = DDITask(families(), DDIOptions(setting="S1"))
    emerging, rows = task.emerging("test"), task.pairs("test")
    assert not task.trained[emerging].any()
    assert ((emerging == rows[:, 0]) | (emerging == rows[:, 2])).all()


def test_strata_by_background(tmp_path):
    data = families()
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph" / "train.txt").write_text("X04\tbinds\tenzyme\nol1\tbinds\tenzyme\n")
    background = load_background(data, str(tmp_path / "graph"))
    assert background.entities.names[-1] == "enzyme"
    assert background.triples.tolist() == [[4, 0, 30], [1, 0, 30]]
    task = DDITask(data, DDIOptions(setting="S1"), background)
    rows = task.pairs("test")
    linked = task.subgroups("test")["both drugs have graph edges"]
    assert [set(row) for row in rows[linked][:, [0, 2]].tolist()] == [{1, 4}]
    task.save(tmp_path / "kept")
    again = DDITask.load(tmp_path / "kept", task.config())
    np.testing.assert_array_equal(again.subgroups("test")["one has none"], ~linked)


def test_missing_splits_are_named():
    data = families()
    only = dataclasses.replace(data, pairs={k: data.pairs[k] for k in ("train", "test_S2")})
    with pytest.raises(EmptySplit, match="S1"):
        DDITask(only, DDIOptions(setting="S1"))
    task = DDITask(only, DDIOptions(setting="S2"))
    with pytest.raises(EmptySplit, match="valid"):
        task.pairs("valid")
    with pytest.raises(InvalidParameter, match="split"):
        task.pairs("tset")


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_plain_names_are_the_setting_that_their_pairs_are(setting):
    data = families()
    plain = {"train": data.pairs["train"], "valid": data.pairs[f"valid_{setting}"],
             "test": data.pairs[f"test_{setting}"]}  # fmt: skip
    data = dataclasses.replace(data, pairs=plain)
    assert DDITask(data).setting == setting
    if setting != "S2":
        with pytest.raises(DataError, match="valid leak"):
            DDITask(data, DDIOptions(setting="S2"))
