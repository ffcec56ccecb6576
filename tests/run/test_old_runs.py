"""Run folders that version 0.1 wrote: they load, measure and answer as they did."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import parsimony
from parsimony.cli import app

#: times, and sentences
IGNORED = ("seconds", "queries_per_second", "seconds_per_task", "notes", "weighing")
FOLDER = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
RUNS = [name for name, record in RECORDS.items() if "evaluate" in record]
UNFINISHED = [name for name in RECORDS if name not in RUNS]
QUESTIONS = [(name, question) for name in RUNS for question in RECORDS[name]["asked"]]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text of a result by its path; how long it took is left out."""
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            if key not in IGNORED:
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
    result = CliRunner().invoke(app, [*words, "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


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
    words = [name if word == "RUN" else word for word in shlex.split(question)]
    assert_same(typed(*words), RECORDS[name]["asked"][question], 1e-5)


@pytest.mark.parametrize("name", UNFINISHED)
def test_an_old_checkpoint_is_refused_and_its_remedy_works(name, tmp_path):
    run = tmp_path / name
    shutil.copytree(FOLDER / name, run)
    command = [*RECORDS[name]["command"].split(" "), "--out", str(run), "--resume", "--json"]
    refused = CliRunner().invoke(app, command)
    error = json.loads(refused.stdout)["error"]
    assert (refused.exit_code, error["type"]) == (2, "CheckpointVersionError")
    assert "remove the folder checkpoints" in error["remedy"]
    shutil.rmtree(error["where"])
    typed(*command[:-1])
    assert parsimony.load_run(run).history_ is not None


def test_every_fixture_is_whole():
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == set(RECORDS)
