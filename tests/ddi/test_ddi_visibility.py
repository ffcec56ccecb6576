"""What is known while a pair is asked, and which emerging drugs are not as new as they seem."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.ddi.data import DDIData
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import DataError
from parsimony.graph import Vocabulary

TRAIN = [[0, 0, 3], [1, 0, 3], [0, 1, 4], [3, 0, 4]]


def pairs(**rows):
    """Six drugs; 0, 1, 3, 4 are known, 2 and 5 emerge."""
    none = ("",) * 6
    return DDIData(
        "six",
        Vocabulary([f"d{i}" for i in range(6)], "drug"),
        none, none, none,
        Vocabulary(["a", "b"], "relation"),
        ("#Drug1 a #Drug2", "#Drug1 b #Drug2"),
        {name: np.array(found, np.int32) for name, found in rows.items()},
    )  # fmt: skip


def test_validation_is_known_while_test_is_asked_unless_told_otherwise():
    data = pairs(train=TRAIN, valid_S1=[[2, 0, 3]], test_S1=[[5, 0, 3]])
    assert DDITask(data).visible("valid").tolist() == TRAIN
    assert DDITask(data).visible("test").tolist() == [*TRAIN, [2, 0, 3]]
    only = DDITask(data, DDIOptions(test_graph="train"))
    assert only.visible("test").tolist() == TRAIN


@pytest.mark.parametrize("asked", [[0, 1, 3], [3, 1, 0]], ids=["same order", "turned"])
def test_an_asked_pair_is_never_visible(asked):
    data = pairs(train=TRAIN, test_S0=[asked])
    task = DDITask(data, DDIOptions(setting="S0"))
    assert task.visible("test").tolist() == TRAIN[1:]


def test_without_a_test_split_everything_is_known():
    """New pairs are then asked with train and validation, not with nothing."""
    task = DDITask(pairs(train=TRAIN, valid_S1=[[2, 0, 3]]))
    assert task.visible("test").tolist() == [*TRAIN, [2, 0, 3]]


def test_a_drug_that_emerges_twice_is_refused():
    """Drug 2 has no training pair, but its validation pair is known while test is asked."""
    data = pairs(train=TRAIN, valid_S1=[[2, 0, 3]], test_S1=[[2, 1, 4], [5, 0, 3]])
    with pytest.raises(DataError, match=r"1 pairs of test_S1 leak.*d2 and d4"):
        DDITask(data)
    DDITask(data, DDIOptions(test_graph="train"))  # there it is as new as it should be


def test_a_known_drug_among_emerging_ones_is_refused():
    with pytest.raises(DataError, match=r"valid_S1 leak.*d0 and d1"):
        DDITask(pairs(train=TRAIN, valid_S1=[[0, 0, 1]]))
    both = pairs(train=TRAIN, test_S2=[[2, 0, 3]])
    with pytest.raises(DataError, match="test_S2 leak") as caught:
        DDITask(both, DDIOptions(setting="S2"))
    assert "2 drugs of a pair" in caught.value.remedy


def test_the_emerging_drug_is_the_new_one_on_either_side():
    data = pairs(train=TRAIN, test_S1=[[2, 0, 3], [3, 1, 5]])
    assert DDITask(data).emerging("test").tolist() == [2, 5]


@pytest.mark.parametrize("copy", [[5, 0, 3], [3, 1, 5]], ids=["same order", "turned"])
def test_an_asked_pair_in_train_is_a_leak_though_it_is_never_visible(copy):
    with pytest.raises(DataError, match=r"test_S1 leak.*d5 and d3"):
        DDITask(pairs(train=[*TRAIN, copy], test_S1=[[5, 0, 3]]))
