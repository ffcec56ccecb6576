"""A run whose files do not fit together is CorruptRun, and the message names the file."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.link.test_edge_graphs import LINE, data, fitted

from parsimony.errors import CorruptRun, FormatError
from parsimony.link.data import LinkData
from parsimony.link.task import LinkTask
from parsimony.methods import load_run
from parsimony.run.seal import seal

TASK = LinkTask(data(LINE, [(0, 0, 2)], [(1, 0, 3)]))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    for method in ("redgnn", "rules", "transe"):
        fitted(method, TASK).save(home / method)
    return home


def meta(**changes):
    def change(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def array(make):
    return lambda path: np.save(path, make(np.load(path)))


DATA = [
    ("meta.json", lambda path: path.write_text("{")),
    ("meta.json", lambda path: path.write_text("[" * 100_000)),
    ("meta.json", lambda path: path.write_text("[1]")),
    ("meta.json", meta(format=2)),
    ("meta.json", meta(notes="none")),
    ("meta.json", meta(n_facts=10**6)),
    ("meta.json", meta(n_facts=1.5)),
    ("entities.txt", lambda path: path.write_bytes(b"\xff\n")),
    ("train.npy", lambda path: path.write_bytes(b"")),
    ("train.npy", array(lambda a: a + 100)),
    ("train.npy", array(lambda a: a.astype(float))),
    ("valid.npy", array(lambda a: a[:, :2])),
    ("test.npy", array(lambda a: a.ravel())),
    ("entity_names.json", lambda path: path.write_text('{"m0": 1}')),
    ("entity_names.json", lambda path: path.write_text('{"m0": "\\ud800"}')),
]


@pytest.mark.parametrize(("name", "change"), DATA)
def test_files_of_the_data(runs, tmp_path, name, change):
    run = shutil.copytree(runs / "transe", tmp_path / "run")
    change(run / "data" / name)
    seal(run)
    with pytest.raises(CorruptRun) as caught:
        load_run(run)
    assert f"data/{name}" in caught.value.where
    with pytest.raises(FormatError if name != "entities.txt" else Exception, match=name):
        LinkData.load(run / "data")


def test_another_vocabulary(runs, tmp_path):
    for names, where in (("m0\nm1\nm2\nm3\nm4\n", "model.safetensors"), ("m0\n", ".npy")):
        run = shutil.copytree(runs / "transe", tmp_path / where)
        (run / "data/entities.txt").write_text(names)
        seal(run)
        with pytest.raises(CorruptRun) as caught:
            load_run(run)
        assert where in caught.value.where


@pytest.mark.parametrize("method", ["redgnn", "rules", "transe"])
def test_arrays_of_the_model(method, runs, tmp_path):
    whole = load_file(runs / method / "model.safetensors")
    for name, kept in whole.items():
        broken = {
            "missing": None,
            "axes": kept[None],
            "longer": np.concatenate([kept, kept[:1]]) if len(kept) else np.ones(3, kept.dtype),
            "text": kept.astype(np.uint8) if kept.dtype.kind == "f" else kept.astype(np.float32),
            "nan": np.full_like(kept, np.nan) if kept.dtype.kind == "f" else kept - 10**6,
        }
        for what, value in broken.items():
            if value is not None and not value.size:
                continue
            run = shutil.copytree(runs / method, tmp_path / f"{name}-{what}")
            tensors = {n: v for n, v in (whole | {name: value}).items() if v is not None}
            save_file(tensors, run / "model.safetensors")
            seal(run)
            with pytest.raises(CorruptRun) as caught:
                load_run(run)
            assert "model.safetensors" in caught.value.where, (name, what)
            shutil.rmtree(run)


def test_notes(runs, tmp_path):
    run = shutil.copytree(runs / "redgnn", tmp_path / "run")
    (run / "notes.json").write_text('{"a": 1}')
    seal(run)
    with pytest.raises(CorruptRun, match=r"notes\.json"):
        load_run(run)
