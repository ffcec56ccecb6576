"""Every protocol of drug pairs counts what training or the selection has seen, and says so."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.ddi.small_pairs import families, write_ddi_folder
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.ddi.audit import audit
from parsimony.ddi.leaks import find_leaks
from parsimony.ddi.task import DDIOptions, DDITask

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

CASE = Path(os.environ.get("PARSIMONY_CASES", "../shared/cases")) / "s0-pairs-in-train"


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in [*words, "--json"]])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def leaking(setting, *, turned=False, valid=False):
    """Five test rows in train (or in validation), three of S0 turned round."""
    data = families()
    rows = data.pairs[f"test_{setting}"][:5]
    if turned:
        rows = rows[:, [2, 1, 0]]
    other = f"valid_{setting}" if valid else "train"
    more = {other: np.concatenate([data.pairs[other], rows])}
    return dataclasses.replace(data, pairs={**data.pairs, **more})


@pytest.mark.parametrize("turned", [False, True])
def test_rows_in_train_are_counted(turned):
    task = DDITask(leaking("S0", turned=turned), DDIOptions(setting="S0"))
    assert find_leaks(task, "test").in_train == 5
    assert any("5 of" in note for note in find_leaks(task, "test").notes())
    clean = find_leaks(DDITask(families(), DDIOptions(setting="S0")), "test")
    assert not clean.in_train and not any("warning" in note for note in clean.notes())


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_rows_that_select_the_model_are_counted_where_drugs_emerge_too(setting):
    options = DDIOptions(setting=setting, test_graph="train")
    task = DDITask(leaking(setting, valid=True), options)
    assert find_leaks(task, "test").in_valid == 5


@pytest.mark.parametrize("setting", ["S1", "S2"])
@pytest.mark.parametrize("column", ["smiles", "external_ids"])
def test_a_new_drug_that_is_a_known_one_under_another_id(setting, column):
    data = families()
    values = list(getattr(data, column))
    values[4] = {"smiles": "C(CCC)O", "external_ids": values[0]}[column]  # of ol0: CCCCO
    task = DDITask(
        dataclasses.replace(data, **{column: tuple(values)}), DDIOptions(setting=setting)
    )
    rows = data.pairs[f"test_{setting}"]
    assert find_leaks(task, "test").known_molecule == (rows[:, [0, 2]] == 4).any(1).sum() > 0
    assert any("under another id" in note for note in find_leaks(task, "test").notes())


def test_a_fit_an_evaluation_and_an_audit_say_it(tmp_path):
    folder = write_ddi_folder(leaking("S0"), tmp_path / "mine")
    words = ["--set", "setting=S0", "--out", tmp_path / "run"]
    notes = run("fit", folder, "--task", "ddi", "--method", "neighbours", *words)["notes"]
    assert any("5 of" in note and "test_S0" in note for note in notes)
    assert any("5 of" in note for note in run("evaluate", tmp_path / "run")["notes"])
    readable = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run")]).stdout
    assert "stand in train too" in readable
    found = run("audit", folder)
    assert [leak["in_train"] for leak in found["leaks"] if leak.get("split") == "test_S0"] == [5]
    assert "stand in train too" in CliRunner().invoke(app, ["audit", str(folder)]).stdout


def test_an_audit_says_what_a_fit_refuses():
    data = leaking("S1")
    found = audit(data)
    assert any("refused" in leak for leak in found["leaks"] if leak["setting"] == "S1")


def test_an_audit_of_what_it_cannot_describe(tmp_path):
    table = tmp_path / "r.csv"
    table.write_text("user,item,rating\n" + "".join(f"u{i},i{i % 3},{i % 5}\n" for i in range(9)))
    error = run("audit", table, "--task", "coldstart", code=2)["error"]
    assert "drug pairs" in error["message"]


@pytest.mark.skipif(not CASE.is_dir(), reason="the cases are not there: set PARSIMONY_CASES")
def test_the_case(tmp_path):
    words = ["--task", "ddi", "--method", "walks", "--out", tmp_path / "run"]
    notes = run("fit", CASE / "folder", *words)["notes"]
    assert any("74 of 74 rows of test_S0 stand in train" in note for note in notes)
    assert run("evaluate", tmp_path / "run")["notes"]
