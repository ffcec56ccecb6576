"""Scores that are NaN once ranked better than first; now a training that makes them diverged."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import InvalidMeasure, InvalidParameter, TrainingDiverged
from parsimony.kernels.ranking import filtered_counts_reference
from parsimony.link.embeddings.bilinear import DistMult
from parsimony.metrics import Ranks, ranking_metrics
from parsimony.metrics.guard import RANGES, checked, require_scores

HUGE = [f"--set={setting}" for setting in ("lr=1e20", "dim=8", "threads=1", "batch=100000")]


def typed(*words):
    return CliRunner().invoke(app, [*map(str, words), "--quiet"])


def test_a_fit_says_that_it_diverged(tmp_path):
    found = typed("fit", "nations", "--method", "distmult", *HUGE, "--epochs", 1,
                  "--out", tmp_path / "run", "--json")  # fmt: skip
    assert found.exit_code == 1
    assert json.loads(found.stdout)["error"]["type"] == "TrainingDiverged"
    log = tmp_path / "run" / "log.jsonl"
    assert not log.exists() or "valid_mrr" not in log.read_text()


def test_a_search_writes_it_down_and_nobody_wins(tmp_path):
    found = typed("search", "nations", "--trials", 3, *HUGE, "--set=epochs=1",
                  "--out", tmp_path / "run")  # fmt: skip
    assert found.exit_code == 1
    rows = [
        json.loads(line)
        for line in (tmp_path / "run" / "search" / "trials.jsonl").read_text().splitlines()[1:]
    ]
    assert len(rows) == 3
    assert all(row["error"] and row["valid"] == 0 for row in rows)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("table", ["entity_", "relation_"])
def test_one_spoiled_number_of_a_model_is_enough(value, table, nations_task):
    model = DistMult(dim=8, epochs=1, threads=1).fit(nations_task)
    getattr(model, table)[:] = value
    for use in (lambda: model.evaluate("test"), lambda: model.predict("usa", "embassy")):
        with pytest.raises(TrainingDiverged, match="a score is"):
            use()


@pytest.fixture(scope="module")
def nations_task():
    from parsimony.link.loading import load
    from parsimony.link.task import LinkTask

    return LinkTask(load("nations"))


def test_ranks_are_never_better_than_first():
    none = np.zeros(1, np.int64)
    with pytest.raises(InvalidParameter, match="at least 0"):
        Ranks(none, none - 1, none, none)
    with pytest.raises(InvalidMeasure, match="mrr"):
        ranking_metrics(np.array([0.5]))
    scores = np.array([[math.nan, 1.0, 2.0]])
    greater, equal = filtered_counts_reference(scores, [[]], [[0]])
    assert (greater.item(), equal.item()) == (0, 0)  # why the scores have to be looked at
    with pytest.raises(TrainingDiverged):
        require_scores(scores)


@pytest.mark.parametrize("name", sorted(RANGES))
def test_a_measure_outside_its_range_cannot_be_written(name):
    low, high = RANGES[name]
    for at in ("", "@5"):
        for value in (low, high):
            if math.isfinite(value):
                assert checked({name + at: value}) == {name + at: value}
        for value in (math.nan, math.inf, -math.inf, low - 1e-3, high + 1e-3):
            with pytest.raises(InvalidMeasure, match=name):
                checked({name + at: value})


def test_what_is_not_reached_may_be_below_all():
    scores = np.array([-math.inf, 0.0])
    require_scores(scores, unreached=True)
    require_scores(np.empty(0))
    for spoiled in (scores, np.array([math.nan]), torch.tensor([math.inf]).numpy()):
        with pytest.raises(TrainingDiverged):
            require_scores(spoiled)
