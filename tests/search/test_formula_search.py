"""A search of formulas that goes on."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.ratings.small_ratings import tastes

from parsimony.search import Budget, SearchRequest, run_search

SETTINGS = {"dim": 4, "hidden": [8, 8, 4], "context": 8, "epochs": 6, "lr": 0.01, "min_support": 4,
            "max_support": 8, "ladder": [[4, 6]]}  # fmt: skip


def test_a_search_that_goes_on_may_find_another_formula(tmp_path):
    folders = {}
    for trials in (7, 11):
        request = SearchRequest(
            tastes(), out=tmp_path / "s", budget=Budget(trials=trials), space="modulation",
            algorithm="evolution", settings=SETTINGS, compare=0, resume=trials > 7, seed=3,
        )  # fmt: skip
        _, done = run_search(request)
        (row,) = done["comparison"]
        folders[row["formula"]] = row["run"]
        config = tomllib.loads(Path(row["run"], "config.toml").read_text())
        assert config["parameters"]["formula"] == row["formula"]
    assert len(set(folders.values())) == len(folders)
