"""parsimony tune, as it is typed."""

from __future__ import annotations

import json
import shlex

import pytest
from benchmarks.small_data import write_ratings

FILM = ["--method", "film", "--set", "support=6", "--set", "epochs=3", "--set", "hidden=[4,4,4]"]


def test_a_tuning_and_what_can_be_done_with_it(typed, tmp_path):
    write_ratings(tmp_path, users=30, items=24, rated=18)
    words = ["tune", "ratings.csv", *FILM, "--trials", 5, "--out", "tuned"]
    first = typed(*words)
    *_, run, following, again = first.out.strip().splitlines()
    assert run == "run:   tuned"
    assert following == "next:  parsimony evaluate tuned"
    rows = (tmp_path / "tuned/search/trials.jsonl").read_text().splitlines()
    assert len(rows) == 6
    assert json.loads(rows[0])["space"] == "settings of film"
    error = typed(*words, "--json", code=2).error
    assert error["type"] == "RunExists" and "--resume" in error["remedy"]
    done = typed(*words, "--resume", "--json").json
    assert done["trials"] == 5
    measured = typed("evaluate", "tuned", "--json").json
    best = next(row for row in done["comparison"] if row["name"] == done["best"])
    assert measured["metrics"]["mse"] == pytest.approx(best["test"]["mse"])
    typed("report", "tuned", "--json")
    # The line of the end repeats the training.
    assert again == f"again: {done['line']}"
    line = shlex.split(done["line"])
    assert line[:3] == ["parsimony", "fit", "ratings.csv"]
    same = typed(*line[1:], "--out", "again", "--json").json
    assert same["valid"] == best["valid"]
    other = [*words, "--resume", "--set", "members=2", "--json"]
    assert typed(*other, code=2).error["type"] == "LedgerMismatch"


def test_a_budget_says_how_many_trials_fit(typed):
    words = ["--method", "distmult", "--set", "dim=8", "--set", "threads=1", "--set", "epochs=4"]
    done = typed("tune", "royal", *words, "--budget", "2s", "--trials", 3, "--out", "run")
    assert "trials that fit: about" in done.err
    assert "default" in done.out and "s in all" in done.out
    done = typed("tune", "royal", *words, "--time-budget", "0s", "--json", code=2)
    assert "not a duration" in done.json["error"]["message"]


def test_what_is_tuned_is_listed(typed):
    assert "tune tries" in typed("methods", "redgnn").out
    assert "tune tries" not in typed("methods", "tanimoto").out
    rows = typed("methods", "complex", "--json").json["parameters"]
    assert {row["name"]: row["tuned"] for row in rows}["lr"] == "0.01 … 1, log"


def test_wrong_usage(typed):
    assert "--method" in typed("tune", "royal", code=2).err
    error = typed("tune", "royal", "--method", "emergnn", "--trials", 2, "--json", code=2).error
    assert "not a ddi dataset" in error["message"]
