"""No answer about a drug without a structure rests on its structure, by any method, in any word."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from tests.ddi.small_pairs import families

from parsimony.ddi import MLP, EmerGNN, Neighbours, Prior, Walks, screen
from parsimony.ddi.add_drug import new_drug_notes, with_drug
from parsimony.ddi.background import load_background
from parsimony.ddi.drug_file import read_new_drug
from parsimony.ddi.folder import load_ddi
from parsimony.ddi.task import DDIOptions, DDITask

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

CASE = Path(os.environ.get("PARSIMONY_CASES", "../shared/cases")) / "no-structure-called-structure"
SMALL = {"epochs": 1, "dim": 8, "threads": 1, "hidden": 8}
METHODS = [
    lambda: Neighbours(power=4, smoothing=1e-3), lambda: Prior(smoothing=1), lambda: Walks(),
    lambda: MLP(epochs=1, hidden=8), lambda: EmerGNN(**SMALL),
    lambda: EmerGNN(form="published", epochs=1, dim=8, threads=1),
]  # fmt: skip


def without(*drugs):
    data = families()
    smiles = ["" if i in drugs else text for i, text in enumerate(data.smiles)]
    return dataclasses.replace(data, smiles=tuple(smiles))


@pytest.fixture(scope="module", params=range(len(METHODS)))
def fitted(request, tmp_path_factory):
    """One known drug (0) and one emerging one (4) have no structure; 4 has an edge."""
    data = without(0, 4)
    folder = tmp_path_factory.mktemp("graph")
    rows = [f"{name}\tbinds\tP{i % 3}\n" for i, name in enumerate(data.drugs) if i < 8]
    (folder / "train.txt").write_text("".join(rows))
    graph = load_background(data, str(folder))
    return METHODS[request.param]().fit(DDITask(data, DDIOptions(setting="S1"), graph))


def said_of_structure(text, bare):
    return "rests on structure" in text or any(f"structure of {name}" in text for name in bare)


def test_nothing_rests_on_a_structure_that_there_is_not(fitted):
    bare = ("Drug ol0", "Drug ol4")
    found = screen(fitted, "ol4", top=29)
    assert not any(said_of_structure(p["reason"], bare) for p in found["partners"])
    asked = fitted.predict("ol4", "ol0")
    for note in (*found["notes"], *asked["notes"]):
        assert not said_of_structure(note, bare)
    if fitted.structural:
        assert any("Drug ol4 has no structure" in note for note in asked["notes"])
        assert any("2 of 30 drugs have no structure" in note for note in fitted.notes_)
    if fitted.gives_reasons:
        told = fitted.explain("ol4", None, "ol0")
        assert "both structures" not in told.parts
        assert told.notes[-1] == "For research, not for clinical use."


def test_where_nothing_is_known_no_set_is_promised(fitted):
    nothing = fitted.grounds(4).nothing
    assert nothing == (not fitted.graphical)
    asked = fitted.predict("ol4", "amine1")
    assert (asked["set"] is None) == nothing
    assert any("knows nothing" in note for note in asked["notes"]) == nothing


def test_a_new_drug_of_facts_alone(fitted, tmp_path):
    if not fitted.graphical or getattr(fitted.resolved_, "embedding", False):
        return
    (tmp_path / "new.toml").write_text('name = "x"\nbinds = ["P1"]\n')
    drug = read_new_drug(tmp_path / "new.toml")
    wider = with_drug(fitted, drug)
    found = screen(wider, "x", top=30)
    notes = [*found["notes"], *new_drug_notes(wider, drug)]
    assert any("x has no structure: the answer rests on 1 edge in the graph" in n for n in notes)
    assert not any(said_of_structure(p["reason"], ("x",)) for p in found["partners"])


@pytest.mark.skipif(not CASE.is_dir(), reason="the cases are not there: set PARSIMONY_CASES")
def test_the_case():
    data = load_ddi(CASE / "folder")
    fitted = Neighbours().fit(DDITask(data, DDIOptions(setting="S1")))
    assert any("(alprazolam, fentanyl)" in note for note in fitted.notes_)
    asked = fitted.predict("fentanyl", "alprazolam")
    assert asked["set"] is None and "knows nothing" in asked["notes"][0]
