"""The panel of graphs on which defaults are chosen: presets switched off, validation alone.

``python benchmarks/panel.py PLAN.toml --out panel.jsonl --part 0/2`` trains what the plan names and
appends a row to the file; what the file has is not trained again. A plan lists ``[[train]]``:
graphs, method, settings, seconds, epochs. Seconds are CPU time of one thread, so that other work on
the machine does not change what a training gets.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import time
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from parsimony import datasets, fit
from parsimony.datasets.loading import locate
from parsimony.errors import ParsimonyError
from parsimony.link.data import LinkData
from parsimony.link.single_file import load_file
from parsimony.training import trainer

trainer.clock = time.process_time

HETIONET = {
    "hetionet-S": ("CtD", "CpD", "CrC", "DrD", "DlA", "DpS", "PCiC"),
    "hetionet-M": ("CtD", "CpD", "CrC", "DrD", "DlA", "DpS", "PCiC", "CbG", "DaG"),
    "hetionet-L": ("CtD", "CpD", "CrC", "DrD", "DlA", "DpS", "PCiC", "CbG", "DaG", "CdG", "CuG",
                   "DuG", "DdG"),
}  # fmt: skip


def _rows(name: str) -> list[tuple[str, str, str]]:
    """Facts of an extract, of Hetionet or the DrugBank layer, in the order of their files."""
    folder, _ = locate("hetionet" if name in HETIONET else name)
    rows: list[tuple[str, str, str]] = []
    for file in sorted(Path(folder).rglob("edges*.tsv")):
        with file.open(encoding="utf-8") as lines:
            cells = csv.reader(lines, delimiter="\t")
            next(cells)
            rows += [(row[0], row[1], row[2]) for row in cells]
    kinds = HETIONET.get(name)
    return rows if kinds is None else [row for row in rows if row[1] in kinds]


@cache
def graph(name: str) -> LinkData:
    """A graph of the panel as a stranger's: no preset applies.

    ``NAME`` of the register; ``NAME/whole``: the training graph of an inductive pair, with its own
    splits; an extract.
    """
    if name in HETIONET or name == "drugbank-layer":
        file = Path(os.environ.get("TMPDIR", "/tmp")) / f"panel-{name}-{os.getpid()}.tsv"
        file.write_text("".join("\t".join(row) + "\n" for row in _rows(name)))
        try:
            return replace(load_file(file, seed=0), name=name)
        finally:
            file.unlink()
    base, _, whole = name.partition("/")
    data = datasets.load(base)
    if whole:
        data = replace(data, inductive=None)
    return replace(data, registered=False)


def measure(
    name: str, method: str, settings: dict[str, Any], seconds: float, epochs: int | None, seed: int
) -> dict[str, Any]:
    """Train once; figures of validation."""
    begin = time.perf_counter()
    row = {
        "graph": name, "method": method, "settings": settings, "budget": seconds, "epochs": epochs,
        "seed": seed,
    }  # fmt: skip
    try:
        model, summary = fit(
            graph(name), method, parameters={**settings}, time_budget=seconds, epochs=epochs,
            seed=seed,
        )  # fmt: skip
    except ParsimonyError as error:
        return row | {"error": str(error)}
    curve = [(h.get("valid_mrr"), h.get("train_seconds"), h.get("seconds")) for h in model.history_]
    ranks = 1.0 / model.ranks("valid").ranks()
    return row | {
        "valid": float(ranks.mean()),
        "error_of_mean": float(ranks.std() / np.sqrt(len(ranks))),
        "parameters": model.parameters_count_,
        "ended": model.ended_,
        "best_epoch": model.best_epoch_,
        "curve": [[None if x is None else round(float(x), 4) for x in c] for c in curve],
        "notes": [n for n in summary["notes"] if "n_layers" in n],
        "seconds": round(time.perf_counter() - begin, 1),
        "of_fit": round(model.seconds_, 1),
    }


def main() -> None:
    """Train the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", default="0/1")
    given = parser.parse_args()
    part, parts = (int(x) for x in given.part.split("/"))
    jobs = []
    for entry in tomllib.loads(given.plan.read_text())["train"]:
        grid = entry.get("grid", {})
        for name, values, seed in itertools.product(
            entry["graphs"], itertools.product(*grid.values()), entry.get("seeds", [0])
        ):
            settings = {**entry.get("settings", {}), **dict(zip(grid, values, strict=True))}
            jobs.append(
                (name, entry["method"], settings, entry["seconds"], entry.get("epochs"), seed)
            )
    for job in jobs[part::parts]:
        done = given.out.read_text().splitlines() if given.out.exists() else []
        keys = {
            json.dumps([r[k] for k in ("graph", "method", "settings", "budget", "epochs", "seed")])
            for r in map(json.loads, done)
        }
        if json.dumps(list(job)) in keys:
            continue
        row = measure(*job)
        with given.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["graph"], row["method"], row["settings"], row.get("valid", row.get("error")),
              row.get("ended"), row.get("seconds"), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
