"""A name that two drugs go by names neither: an error lists both ids, and what it offers works."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ddi.small_pairs import families, write_ddi_folder
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.ddi.drug_names import DrugNames, folded
from parsimony.errors import FormatError, UnknownDrug

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

CASE = Path(os.environ.get("PARSIMONY_CASES", "../shared/cases")) / "two-drugs-one-name"


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in [*words, "--json"]])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A drug named by another one's id."""
    data, home = families(), tmp_path_factory.mktemp("names")
    names = list(data.names)
    names[4] = "amine1"
    folder = write_ddi_folder(dataclasses.replace(data, names=tuple(names)), home / "mine")
    return home, run("fit", folder, "--method", "neighbours", "--out", home / "run")


@pytest.mark.parametrize("name", ["amine1", "AMINE1 ", "\N{FULLWIDTH LATIN SMALL LETTER A}mine1"])
@pytest.mark.parametrize(
    "words",
    [
        ["ddi", "predict", "RUN", "--drug", "ol0", "--drug", "NAME"],
        ["ddi", "screen", "RUN", "--drug", "NAME"],
        ["explain", "RUN", "--head", "NAME", "--tail", "ol0"],
        ["ddi", "add-drug", "RUN", "--file", "NEW"],
    ],
)
def test_it_is_an_error_that_lists_the_ids(fitted, words, name):
    home, _ = fitted
    (home / "new.toml").write_text(f'name = "{name}"\nsmiles = "CCO"\n')
    places = {"RUN": home / "run", "NAME": name, "NEW": home / "new.toml"}
    error = run(*(places.get(word, word) for word in words), code=2)["error"]
    if "add-drug" in words:
        assert "in the run already" in error["message"]
        return
    assert error["type"] == "FormatError"
    assert "ol4" in error["message"] and "amine1" in error["message"]
    for offered in ("ol4", "Drug amine1"):
        assert offered in error["remedy"]
        found = run("ddi", "predict", home / "run", "--drug", "ol0", "--drug", offered)
        assert offered.removeprefix("Drug ") in found["query"]["drug_b"]


def test_a_fit_says_so(fitted):
    assert any("'amine1' names 2 drugs" in note for note in fitted[1]["notes"])


def test_both_are_told_apart_in_every_answer(fitted):
    home, _ = fitted
    drugs = [p["drug"] for p in run("ddi", "screen", home / "run", "--drug", "ol0", "--top", 99)[
        "partners"]]  # fmt: skip
    assert len(set(drugs)) == len(drugs) == 29
    assert "amine1 (ol4)" in drugs


NAMES = st.text("aAb (\N{LATIN SMALL LETTER SHARP S}\N{LATIN CAPITAL LETTER A WITH RING ABOVE}"
                "\N{ANGSTROM SIGN}1\N{NO-BREAK SPACE}", max_size=4)  # fmt: skip


@given(st.lists(st.tuples(NAMES.filter(str.strip), NAMES, NAMES), min_size=1, max_size=5,
                unique_by=lambda row: row[0]), NAMES)  # fmt: skip
def test_every_drug_has_an_address_and_no_spelling_chooses_one_of_several(rows, asked):
    ids, external, names = (tuple(column) for column in zip(*rows, strict=True))
    known = DrugNames(ids, external, names)
    for drug in range(len(ids)):
        assert known.find(known.address(drug)) == drug
        assert known.find(known.labels[drug]) == drug
    own = [
        d for d, row in enumerate(rows) if folded(asked) in {folded(t) for t in row if t.strip()}
    ]
    try:
        found = known.find(asked)
    except UnknownDrug:
        assert not own
    except FormatError as error:
        assert len(own) > 1 or len(known.among(asked)) > 1
        assert all(ids[drug] in error.message for drug in own[:5])
    else:
        assert own in ([found], [])


@pytest.mark.parametrize("name", ["Coumadin", "Tylenol", "Valium"])
def test_a_brand_name_suggests_no_other_drug(name):
    generic = ("ouabain", "atenolol", "aluminium", "warfarin")
    with pytest.raises(UnknownDrug) as caught:
        DrugNames(generic, ("",) * 4, generic).find(name)
    assert "did you mean" not in caught.value.remedy and "brand names" in caught.value.remedy


@pytest.mark.skipif(not CASE.is_dir(), reason="the cases are not there: set PARSIMONY_CASES")
def test_the_case(tmp_path):
    run("fit", CASE / "folder", "--task", "ddi", "--method", "neighbours", "--out", tmp_path / "r")
    words = ["ddi", "predict", tmp_path / "r", "--drug", "alprazolam", "--drug"]
    error = run(*words, "morphine", code=2)["error"]
    assert "fentanyl" in error["message"] and "morphine" in error["message"]
    assert run(*words, "fentanyl")["query"]["drug_b"] == "morphine (fentanyl)"
