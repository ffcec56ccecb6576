"""Play counts and years are ratings; what was learned is not lost to a measure."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.ratings.small_ratings import tastes, write_csv
from typer.testing import CliRunner

import parsimony
from parsimony.cli import app
from parsimony.errors import InvalidMeasure, TrainingDiverged
from parsimony.pipeline import fit
from parsimony.ratings.baselines import Means


def rescaled(path, unit):
    """The ratings of a table in another unit."""
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    lines = [f"{u},{i},{unit(float(r)):g}" for u, i, r in rows]
    path.write_text("\n".join(["user,item,rating", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    "unit", [lambda r: round(7 * 5.77**r) - 33, lambda r: 1964 + 13 * (r - 1), lambda r: 1e30 * r]
)
@pytest.mark.parametrize("method", ["means", "popularity", "ridge-head"])
def test_counts_years_and_sums_are_measured(unit, method, tmp_path):
    path = rescaled(write_csv(tastes(), tmp_path / "plays.csv"), unit)
    words = ["fit", path, "--method", method, "--set", "support=3", "--out", tmp_path / "run"]
    found = CliRunner().invoke(app, [*map(str, words), "--json", "--quiet"])
    assert found.exit_code == 0, found.stdout
    assert "taken to be" in json.loads(found.stdout)["notes"][0]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["metrics"]
    assert 0 < metrics["ndcg@5"] <= 1


@pytest.mark.parametrize("error", [InvalidMeasure("mse is inf"), ZeroDivisionError("0")])
def test_a_trained_run_is_not_lost_to_its_measure(error, tmp_path, monkeypatch):
    def failing(self, split="test", **options):
        raise error

    monkeypatch.setattr(Means, "evaluate", failing)
    _, summary = fit(tastes(), "means", out=tmp_path / "run")
    assert summary["valid"] == {}
    assert [n for n in summary["notes"] if "could not be measured" in n and str(error) in n]
    monkeypatch.undo()
    assert parsimony.load_run(tmp_path / "run").evaluate("test")["users"] == 10


def test_a_diverged_one_is(tmp_path, monkeypatch):
    monkeypatch.setattr(
        Means, "_predict", lambda self, users: [np.full(u.query.sum(), np.nan) for u in users]
    )
    with pytest.raises(TrainingDiverged, match="predicted rating"):
        fit(tastes(), "means", parameters={"shrink": 1.0}, out=tmp_path / "run")
