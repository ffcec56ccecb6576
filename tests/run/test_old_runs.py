"""Run folders that earlier versions wrote: they load, measure, answer and end as they did."""

from __future__ import annotations

import json
import math
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import parsimony
from parsimony.cli import app

FOLDER = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
RUNS = [name for name, record in RECORDS.items() if "evaluate" in record]
#: whose paths are weighed by what they add to the score since 0.2, which orders them
REASONERS = {"redgnn", "adaprop"}
UNFINISHED = [name for name in RECORDS if name not in RUNS]
QUESTIONS = [(name, question) for name in RUNS for question in RECORDS[name]["asked"]]
#: how long it took, and what is worded anew
FREE = {
    "seconds", "queries_per_second", "seconds_per_task",
    "notes", "weighing", "parts_note", "path_order",
}  # fmt: skip


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text of a result by its path, but for the free ones."""
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            if key not in FREE:
                yield from leaves(part, f"{path}/{key}")
    else:
        # JSON has no word for what is not finite.
        gone = isinstance(value, float) and not math.isfinite(value)
        yield path, None if gone else value


def assert_same(found: Any, expected: Any, tolerance: float) -> None:
    """Compare all that was there; what a later version says besides is its own."""
    found = dict(leaves(found))
    for path, value in leaves(expected):
        if isinstance(value, float):
            assert found[path] == pytest.approx(value, rel=0, abs=tolerance), path
        else:
            assert found[path] == value, path


def typed(*words: str) -> Any:
    """Type a command, return its JSON."""
    return json.loads(CliRunner().invoke(app, [*words, "--json", "--quiet"]).stdout)


@pytest.fixture(autouse=True)
def _needs(request):
    """Molecules are read by RDKit."""
    callspec = getattr(request.node, "callspec", None)
    name = callspec.params["name"] if callspec else ""
    if name in RUNS and "chains.csv" in RECORDS[name]["command"]:
        pytest.importorskip("rdkit")


@pytest.mark.parametrize("name", RUNS)
def test_measures_the_same(name):
    model = parsimony.load_run(FOLDER / name)
    for split, expected in RECORDS[name]["evaluate"].items():
        assert_same(model.evaluate(split), expected, 1e-6)


@pytest.mark.parametrize(("name", "question"), QUESTIONS)
def test_answers_the_same(name, question, monkeypatch):
    monkeypatch.chdir(FOLDER)
    if name in REASONERS:
        monkeypatch.setattr(sys.modules[__name__], "FREE", FREE | {"weight"})
    words = [name if word == "RUN" else word for word in shlex.split(question)]
    assert_same(typed(*words), RECORDS[name]["asked"][question], 1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # names of parameters that are deprecated
@pytest.mark.parametrize("name", UNFINISHED)
def test_a_killed_training_ends_as_it_would_have(name, tmp_path):
    """It goes on from the checkpoint, or says what to do; either way the end is the same."""
    run = tmp_path / name
    shutil.copytree(FOLDER / name, run)
    before = len((run / "log.jsonl").read_text().splitlines())
    command = [*RECORDS[name]["command"].split(" "), "--out", str(run), "--resume"]
    done, first = typed(*command), 2
    if "error" in done:
        assert done["error"]["type"] == "CheckpointVersionError", done
        assert "remove the folder checkpoints" in done["error"]["remedy"]
        shutil.rmtree(run / "checkpoints")
        done, first = typed(*command), 1
    assert "error" not in done, done
    lines = (run / "log.jsonl").read_text().splitlines()[before:]
    assert json.loads(lines[0])["epoch"] == first
    assert_same(json.loads((run / "metrics.json").read_text()), RECORDS[name]["metrics"], 1e-6)


def test_every_fixture_is_whole():
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == set(RECORDS)
