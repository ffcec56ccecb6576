"""Fitting leaves the user's randomness alone; predicting needs no test split."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.ddi.small_pairs import families

from parsimony.ddi.baselines.mlp import MLP
from parsimony.ddi.baselines.nearest_neighbours import Neighbours
from parsimony.ddi.task import DDITask

pytest.importorskip("rdkit")


def test_training_leaves_torchs_generator_as_it_was():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = MLP(epochs=2, hidden=8).fit(DDITask(families()))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)  # nor does it depend on it
    again = MLP(epochs=2, hidden=8).fit(DDITask(families()))
    asked = first.task_.pairs("test")[:, [0, 2]]
    np.testing.assert_array_equal(first.predict_proba(asked), again.predict_proba(asked))


def test_a_pair_is_answered_from_known_facts_without_a_test_split():
    data = families()
    held = {name: rows for name, rows in data.pairs.items() if not name.startswith("test")}
    model = Neighbours().fit(DDITask(dataclasses.replace(data, pairs=held)))
    a, kind, b = data.pairs["test_S1"][0].tolist()
    answer = model.predict(data.drugs.name(a), data.drugs.name(b), top=1)["answers"][0]
    assert answer["probability"] > 0.5  # nine types: knowing nothing gives about a ninth
    assert {answer["drug1"], answer["drug2"]} == {data.label(a), data.label(b)}
    if answer["drug1"] == data.label(a):
        assert answer["type"] == data.types.name(kind)
