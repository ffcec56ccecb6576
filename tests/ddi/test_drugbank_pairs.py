"""On the real DrugBank pairs: nothing leaks, and similar drugs tell what an emerging one does."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from parsimony.ddi.background import load_background
from parsimony.ddi.baselines.nearest_neighbours import Neighbours
from parsimony.ddi.folder import load_ddi
from parsimony.ddi.task import DDIOptions, DDITask

pytestmark = pytest.mark.usefixtures("archives")

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")


@pytest.fixture(scope="module")
def drugbank(real_data):
    """Each published split, read once."""

    @functools.cache
    def of(split):
        return load_ddi("drugbank-ddi", split=split, mirror=real_data)

    return of


@pytest.mark.data
@pytest.mark.parametrize("split", ["random", "cluster"])
@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_no_published_split_leaks(drugbank, split, setting):
    data = drugbank(split)
    assert (data.n_drugs, data.n_types) == (1710, 86)
    task = DDITask(data, DDIOptions(setting=setting))  # refuses a drug that is not new
    for part in ("valid", "test"):
        asked = {frozenset((a, b)) for a, _, b in task.pairs(part).tolist()}
        assert not any(frozenset((a, b)) in asked for a, _, b in task.visible(part).tolist())


@pytest.mark.data
def test_neighbours_are_far_above_the_commonest_type(drugbank):
    data = drugbank("random")
    task = DDITask(data, DDIOptions(setting="S2"))
    model = Neighbours(power=6.0, smoothing=1e-6).fit(task)
    rows = task.pairs("valid")
    commonest = np.bincount(rows[:, 1]).max() / len(rows)
    assert model.evaluate("valid")["metrics"]["accuracy"] > commonest + 0.1


@pytest.mark.data
def test_sentences_name_the_inhibitor_as_pharmacology_does(drugbank, real_data):
    """Of two drugs the one that inhibits the other's enzyme is said to decrease its metabolism."""
    data = drugbank("random")
    graph = load_background(data, "layer", mirror=real_data)

    def enzymes(relation):
        rows = graph.triples[graph.triples[:, 1] == graph.relations.index(relation)]
        table = np.zeros((len(graph.entities), len(graph.entities) - data.n_drugs), bool)
        table[rows[:, 0], rows[:, 2] - data.n_drugs] = True
        return table

    inhibits, needs = enzymes("inhibitor of enzyme"), enzymes("substrate of enzyme")
    kind = data.types.index("46")
    rows = data.pairs["train"]
    first, second = rows[rows[:, 1] == kind][:, [0, 2]].T
    forward = (inhibits[first] & needs[second]).any(1)
    backward = (inhibits[second] & needs[first]).any(1)
    assert (backward & ~forward).sum() > 20 * (forward & ~backward).sum()
    ketoconazole, midazolam = data.drug("ketoconazole"), data.drug("midazolam")
    sentence = data.sentence(midazolam, kind, ketoconazole)
    assert sentence == (
        "The metabolism of Midazolam can be decreased when combined with Ketoconazole."
    )
    assert data.acting(midazolam, kind, ketoconazole) == "Ketoconazole"
    assert any("the second one of a row" in note for note in data.notes)
