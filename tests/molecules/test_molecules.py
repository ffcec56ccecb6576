"""Molecules: from a CSV to labels, with every wrong cell named by its line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.molecules.small_molecules import chains, write_csv

from parsimony.errors import (
    EmptySplit,
    FormatError,
    InvalidParameter,
    MissingFile,
    ParsimonyError,
    UnknownDataset,
)
from parsimony.molecules.data import MoleculeData
from parsimony.molecules.table import is_molecules, load_molecules

pytestmark = pytest.mark.usefixtures("cache")

pytest.importorskip("rdkit", reason="molecules need the extra chem")


def test_a_csv_is_read_as_it_was_written(tmp_path):
    path = write_csv(chains(), tmp_path / "mine")
    for place in (path, tmp_path / "mine"):
        data = load_molecules(place)
        assert data.content_hash == chains().content_hash
        assert data.name == "chains"
        assert not data.registered
        assert data.notes == ()
        assert is_molecules(str(place))
    data.save(tmp_path / "kept")
    assert MoleculeData.load(tmp_path / "kept").content_hash == data.content_hash
    assert not is_molecules(str(tmp_path))


def test_an_empty_cell_is_not_measured(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Smiles,x,y\nCC,1,\nCCO,,0.0\n CCC ,1.0,0\n")
    data = load_molecules(path)
    assert data.labels.tolist() == [[1, -1], [-1, 0], [1, 0]]
    assert data.smiles == ("CC", "CCO", "CCC")
    assert data.train_tasks.tolist() == [0, 1], "without task_splits.json all tasks teach"
    assert data.measured(0).tolist() == [0, 2]
    assert data.counts(1) == (2, 0)


def test_tasks_by_number_or_name_and_below_the_name_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("smiles,x,y,z\nCC,1,0,1\n")
    for splits in (
        {"train_tasks": [0, "z"], "test_tasks": ["y"]},
        {"a": {"train_tasks": [0, 2], "test_tasks": [1]}, "b": {}},
    ):
        (tmp_path / "task_splits.json").write_text(json.dumps(splits))
        data = load_molecules(path)
        assert data.train_tasks.tolist() == [0, 2]
        assert data.test_tasks.tolist() == [1]


def test_smiles_that_cannot_be_read_are_skipped_or_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("smiles,x\nCC,1\nC1CC,0\nCCO,0\n,1\n")
    data = load_molecules(path)
    assert data.smiles == ("CC", "CCO")
    assert data.labels.tolist() == [[1], [0]]
    (note,) = data.notes
    assert "2 of 4 molecules left out" in note
    assert "lines 3, 5 of a.csv" in note
    assert "position 2" in note
    with pytest.raises(FormatError, match="2 SMILES cannot be read") as caught:
        load_molecules(path, bad_smiles="refuse")
    assert caught.value.where == f"{path}:3"
    path.write_text("smiles,x\nC1CC,0\n")
    with pytest.raises(EmptySplit, match="no molecule can be read"):
        load_molecules(path)


@pytest.mark.parametrize(
    ("text", "kind", "says", "line"),
    [
        ("", EmptySplit, "empty", None),
        ("smiles,x\n", EmptySplit, "no row", None),
        ("smile,x\nCC,1\n", FormatError, "no column 'smiles'", 1),
        ("smiles\nCC\n", FormatError, "no column of labels", 1),
        ("smiles,x\nCC,1\nCCO,2\n", FormatError, "'2' in column 'x' is neither 0 nor 1", 3),
        ("smiles,x\nCC,1\nCCO,yes\n", FormatError, "'yes'", 3),
        ("smiles,x\nCC,1,0\n", FormatError, "3 columns, expected 2", 2),
    ],
)
def test_wrong_files_are_named(tmp_path, text, kind, says, line):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(kind, match=says) as caught:
        load_molecules(path)
    assert caught.value.where == (f"{path}:{line}" if line else str(path))


@pytest.mark.parametrize(
    "splits",
    ["{", "[]", "{}", '{"train_tasks": ["x"]}', '{"train_tasks": ["w"], "test_tasks": []}',
     '{"train_tasks": [2], "test_tasks": []}', '{"train_tasks": [-1], "test_tasks": []}'],
)  # fmt: skip
def test_wrong_splits_are_named(tmp_path, splits):
    (tmp_path / "a.csv").write_text("smiles,x,y\nCC,1,0\n")
    (tmp_path / "task_splits.json").write_text(splits)
    with pytest.raises(FormatError) as caught:
        load_molecules(tmp_path / "a.csv")
    assert caught.value.where == str(tmp_path / "task_splits.json")


def test_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownDataset, match="tox21"):
        load_molecules("tox2")
    with pytest.raises(InvalidParameter, match="link dataset"):
        load_molecules("family")
    with pytest.raises(MissingFile):
        load_molecules("none.csv")
    with pytest.raises(InvalidParameter, match=r"one \.csv"):
        load_molecules(tmp_path)


def test_wrong_arrays_are_refused():
    good = chains()
    for change in (
        {"labels": good.labels[:-1]},
        {"labels": good.labels + 1},
        {"train_tasks": [6]},
        {"test_tasks": [0]},
    ):
        parts = {name: getattr(good, name) for name in good.__dataclass_fields__} | change
        with pytest.raises(InvalidParameter):
            MoleculeData(**parts)
    with pytest.raises(ValueError, match="read-only"):
        good.labels[0, 0] = 1


def test_a_damaged_copy_is_an_error_of_the_tree(tmp_path):
    chains().save(tmp_path)
    np.save(tmp_path / "labels.npy", chains().labels[:-1])
    with pytest.raises(FormatError, match="not a saved table"):
        MoleculeData.load(tmp_path)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(ParsimonyError):
        MoleculeData.load(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "molecules", "tasks", "train", "test"),
    [("tox21", 7_823, 12, 9, 3), ("sider", 1_427, 27, 21, 6)],
)
def test_published_counts(real_data, monkeypatch, name, molecules, tasks, train, test):
    monkeypatch.setenv("PARSIMONY_DATA", str(real_data))
    data = load_molecules(name)
    assert (data.n_molecules, data.n_tasks) == (molecules, tasks)
    assert (len(data.train_tasks), len(data.test_tasks)) == (train, test)
    assert data.registered
    assert "licence" in data.source
    if name == "tox21":
        assert "8 of 7,831 molecules left out" in data.notes[0]
        # PAR's own counts are 6423 / 346 and 4890 / 942 (methods of the split's source)
        assert data.counts(8)[1] == 264


def test_features_are_counts_and_known_descriptors(monkeypatch):
    from parsimony.chem import descriptors as module

    found = module.molecule_features(["CCO", "CCOCC", "[Na+].[Cl-]"])
    assert found.counts.shape == (3, 2048)
    assert found.counts[0].sum() == 6, "three atoms with their first neighbourhoods"
    of = dict(zip(module.DESCRIPTORS, found.descriptors[0].tolist(), strict=True))
    assert of["molecular weight"] == pytest.approx(np.log1p(46.07), abs=1e-3)
    assert of["polar surface"] == pytest.approx(np.log1p(20.23), abs=1e-3)
    assert of["H-bond donors"] == pytest.approx(np.log(2))
    assert np.isfinite(found.descriptors).all()
    monkeypatch.setattr(module, "_compute", None)
    again = module.molecule_features(["CCO", "CCOCC", "[Na+].[Cl-]"])
    np.testing.assert_array_equal(again.descriptors, found.descriptors)
    with pytest.raises(TypeError):
        module.molecule_features(["CCN"])
