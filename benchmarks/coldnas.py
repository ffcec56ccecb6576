"""Cold start: a searched formula against FiLM and every baseline, paired over users.

    python benchmarks/coldnas.py lastfm SEARCHED_RUN [tasks]

With ``tasks`` only the users of tasks.tsv teach (``--set others=false``), as published.

Trains the formula of a searched run (found on validation users) and FiLM with five seeds each, both
with and without evidence, and the closed forms once (they have no randomness). Test users are
looked at here alone. A user's figure is the mean over seeds; intervals and the share of resamples
in which the formula is not better are from 10,000 bootstrap resamples of users.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import record

from parsimony.knowledge.formula import read_formula
from parsimony.methods import resolve
from parsimony.ratings.table import load_ratings
from parsimony.ratings.task import ColdStartTask

SEEDS = range(5)
MEASURES = ("mse", "mae", "ndcg@3", "ndcg@5")
RESAMPLES = 10_000
PLAIN = {"evidence": False, "item_dropout": 0.0, "pooling": "mean"}


def measured(task: ColdStartTask, method: str, seeds: Any = (0,), **parameters: Any) -> Any:
    """Fit with every seed; measures of every user (seeds, n) by split, and what it cost."""
    values: dict[str, dict[str, list[Any]]] = {
        s: {m: [] for m in MEASURES} for s in ("test", "warm")
    }
    seconds, counts = [], 0
    for seed in seeds:
        model: Any = resolve(method)(seed=seed, **parameters).fit(task)
        seconds.append(model.seconds_)
        counts = model.parameters_count_
        for split, part in values.items():
            for measure, found in model.by_user(split).items():
                part[measure].append(found)
    arrays = {s: {m: np.array(v) for m, v in part.items()} for s, part in values.items()}
    return arrays, {"parameters": counts, "seconds": float(np.mean(seconds))}


def gap(best: Any, other: Any, measure: str) -> dict[str, float]:
    """How much better the first is, user by user: mean, 95 % interval, share of resamples ≤ 0."""
    difference = best.mean(0) - other.mean(0)
    difference = difference if measure.startswith("ndcg") else -difference
    difference = difference[~np.isnan(difference)]  # users without gain
    draws = np.random.default_rng(0).integers(0, len(difference), (RESAMPLES, len(difference)))
    means = difference[draws].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "mean": float(difference.mean()), "low": float(low), "high": float(high),
        "p": float((means <= 0).mean()),
    }  # fmt: skip


def main(name: str, searched: str, which: str = "") -> None:
    """Measure and record."""
    task = ColdStartTask(load_ratings(name, others=which != "tasks"))
    formula = str(read_formula(Path(searched) / "knowledge.toml"))
    found = json.loads((Path(searched) / "search.json").read_text())
    arms = {
        "coldnas": ("coldnas", SEEDS, {"formula": formula}),
        "film": ("film", SEEDS, {}),
        "no modulation": ("coldnas", SEEDS, {"formula": "none"}),
        "coldnas without evidence": ("coldnas", SEEDS, {"formula": formula, **PLAIN}),
        "film without evidence": ("film", SEEDS, PLAIN),
        **{m: (m, (0,), {}) for m in ("evidence", "ridge-head", "popularity", "means")},
    }
    values, rows = {}, {}
    for arm, (method, seeds, parameters) in arms.items():
        values[arm], cost = measured(task, method, seeds, **parameters)
        rows[arm] = {
            split: {
                m: {"mean": float(np.nanmean(v)), "std_over_seeds": float(np.nanmean(v, 1).std())}
                for m, v in part.items()
            }
            for split, part in values[arm].items()
        } | cost
        print(arm, rows[arm]["test"], flush=True)
    best = values["coldnas"]["test"]
    gaps = {
        arm: {m: gap(best[m], values[arm]["test"][m], m) for m in MEASURES}
        for arm in arms if arm != "coldnas"
    }  # fmt: skip
    for row in found["comparison"]:
        row.pop("run")
    record(f"coldnas-{name}{which and f'-{which}'}", {
        "data": name, "users": best["mse"].shape[1], "seeds": len(SEEDS), "formula": formula,
        "rows": rows, "coldnas_better_by": gaps,
        "search": {k: found[k] for k in ("trials", "ranking", "rungs", "predictor", "seconds",
                                         "comparison")},
    })  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:4])
