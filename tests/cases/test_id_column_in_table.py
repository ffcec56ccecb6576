"""A table of molecules with ids and measured values beside its labels, as DeepChem's tox21.csv."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import FormatError, UnknownParameter
from parsimony.molecules.table import load_molecules
from parsimony.molecules.user_tables import read_queries, read_support

pytest.importorskip("rdkit")
TEXT = "{id},smiles,NR-AR,logP,SR-p53\n{a},CC,0,1.5,\n{b},CCO,1,-0.2,1\n{c},CCC,,3,0\n"


def table(tmp_path, name="mol_id", ids=("TOX0", "TOX1", "TOX2")):
    path = tmp_path / "t.csv"
    path.write_text(TEXT.format(id=name, **dict(zip("abc", ids, strict=True))))
    return path


@pytest.mark.parametrize(
    ("name", "ids"),
    [("mol_id", ("TOX0", "TOX1", "TOX2")), ("", ("0", "1", "2")), ("name", ("a", "b", "c"))],
)
def test_columns_without_labels_are_left_out_and_said(tmp_path, name, ids):
    data = load_molecules(table(tmp_path, name, ids))
    assert data.task_names == ("NR-AR", "SR-p53")
    assert data.labels.tolist() == [[0, -1], [1, 1], [-1, 0]]
    (note,) = data.notes
    assert repr(name) in note
    assert "'logP'" in note


def test_columns_can_be_ignored_by_name(tmp_path):
    data = load_molecules(table(tmp_path), ignore=["SR-p53", "logP"])
    assert data.task_names == ("NR-AR",)
    with pytest.raises(UnknownParameter, match="no column 'logp'") as caught:
        load_molecules(table(tmp_path), ignore=["logp"])
    assert "did you mean 'logP'" in caught.value.remedy


def test_a_wrong_label_is_still_an_error(tmp_path):
    path = table(tmp_path)
    path.write_text(path.read_text().replace("CCC,,3,0", "CCC,yes,3,0"))
    with pytest.raises(FormatError, match="'yes' in column 'NR-AR'"):
        load_molecules(path)


def test_files_of_adapt_may_have_an_id(tmp_path):
    (tmp_path / "s.csv").write_text("mol_id,smiles,label,logP\nT1,CC,1,0.3\nT2,CCO,0,2\n")
    assert read_support(tmp_path / "s.csv").ids == ("T1", "T2")
    (tmp_path / "q.csv").write_text("Canonical_SMILES,Name\nCCC,propane\n")
    assert read_queries(tmp_path / "q.csv").ids == ("propane",)


def test_fit_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = "".join(
        f"TOX{i},{'C' * (i + 1)}{'O' * (i % 2)},{i % 2},{(i // 2) % 2},{(i // 3) % 2}\n"
        for i in range(24)
    )
    (tmp_path / "t.csv").write_text("mol_id,smiles,a,b,c\n" + labels)
    for more, told in (((), "'mol_id'"), (("--set", 'ignore=["c"]'), "ignored: 'c'")):
        words = ["fit", "t.csv", "--method", "tanimoto", "--set", "shots=2", *more, "--json"]
        done = CliRunner().invoke(app, [*words, "--out", f"run{len(more)}"])
        assert done.exit_code == 0, done.output
        assert any(told in note for note in json.loads(done.stdout)["notes"])
