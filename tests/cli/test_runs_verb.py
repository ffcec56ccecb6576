"""runs: a table of the runs below a folder, whatever state they are in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

OLD = Path(__file__).parents[1] / "fixtures" / "runs_0_1"


@pytest.fixture
def shelf(tmp_path):
    """Good runs on two data sets at two depths, and one of each kind that cannot be read."""
    for name, where in {
        "redgnn": "runs/a", "rules": "runs/deep/b", "means": "runs/c", "search": "runs/found",
        "unfinished-redgnn": "runs/cut", "transe": "runs/changed", "complex": "runs/bare",
    }.items():  # fmt: skip
        shutil.copytree(OLD / name, tmp_path / where)
    model = tmp_path / "runs/changed/model.safetensors"
    model.write_bytes(model.read_bytes()[:-1] + b"\x01")
    (tmp_path / "runs/bare/config.toml").unlink()
    (tmp_path / "runs/notes").mkdir()
    (tmp_path / "runs/odd").mkdir()
    (tmp_path / "runs/odd/config.toml").write_text("= 1")
    return tmp_path / "runs"


def test_every_run_in_its_state(typed, shelf):
    rows = {row["run"].removeprefix("runs/"): row for row in typed("runs", "--json").json["runs"]}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {
        "a": "finished", "deep/b": "finished", "c": "finished", "found": "finished",
        "cut": "unfinished", "changed": "damaged", "bare": "damaged", "odd": "damaged",
    }  # fmt: skip
    assert "model.safetensors" in rows["changed"]["problem"]
    assert rows["cut"]["data"] == "royal" and rows["cut"]["method"] == "redgnn"
    assert "config.toml" in rows["bare"]["problem"]
    best = rows["deep/b"]
    assert (best["method"], best["metric"], best["parameters"]) == ("rules", "mrr", 62)
    assert best["valid"] > best["description_bytes"] / 10_000 > 0.1
    assert best["seconds"] > 0 and best["date"][:2] == "20"
    assert rows["c"]["metric"] == "ndcg@5"


def test_sorted_by_data_and_validation(typed, shelf):
    done = typed("runs", shelf, "--data", "royal_part", "--json").json["runs"]
    assert [row["method"] for row in done if row["state"] == "finished"] == [
        "rules", "bilinear", "redgnn",
    ]  # fmt: skip
    every = typed("runs", shelf, "--json").json["runs"]
    names = [row["data"] for row in every if row["data"]]
    assert names == sorted(names)


def test_the_table(typed, shelf):
    out = typed("runs", shelf).out
    assert "deep/b" in out and "3.27 kB" in out
    assert f"damaged: {shelf}/changed (transe on royal_part): the file differs" in out
    assert f"unfinished: {shelf}/cut (redgnn on royal)" in out


def test_nothing_there(typed, shelf, tmp_path):
    assert "no such folder" in typed("runs", tmp_path / "none", "--json", code=2).error["message"]
    assert typed("runs", shelf / "notes", "--json").json == {"runs": []}
    assert "no finished run" in typed("runs", shelf / "notes").out
    error = typed("runs", shelf, "--data", "royal_prat", "--json", code=2).error
    assert error["remedy"] == "did you mean 'royal_part'?"
