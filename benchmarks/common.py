"""What the benchmark scripts share: a prepared training step, timing, and the record."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from parsimony import datasets
from parsimony.link.reasoning.epoch import split_facts
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import Batch, LinkTask, training_batch
from parsimony.methods import resolve
from parsimony.run.cost import peak_memory, processor

RESULTS = Path(__file__).parent / "results"


class Prepared:
    """A dataset's preset, initial weights, and the batches of its first epoch."""

    def __init__(self, name: str, method: str = "redgnn", **parameters: Any) -> None:
        self.task = LinkTask(datasets.load(name))
        self.estimator = resolve(method)(threads=1, **parameters)
        self.estimator.prepare(self.task)
        self.resolved = self.estimator.resolved_
        # Speed does not depend on dropout's rate; without it the twins give equal numbers.
        self.architecture = replace(self.estimator.architecture_, dropout=0.0)
        self.weights = Weights(self.estimator.shapes_).initialise(np.random.default_rng(0))
        self.queries, self.active = split_facts(
            self.task, self.resolved.fact_ratio, np.random.default_rng(0), remove_one_hop=False
        )

    def batch(self, number: int) -> Batch:
        """One batch of training queries."""
        size = self.resolved.batch
        rows = self.queries[number * size : (number + 1) * size]
        return training_batch(rows, self.task.n_relations)


def best_of(
    function: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Smallest time of a call in seconds: of the wall, or of another clock."""
    times = []
    for _ in range(repeats):
        begin = clock()
        function()
        times.append(clock() - begin)
    return min(times)


def peak_mib() -> float:
    """Peak resident memory of this process."""
    return peak_memory() / 2**20


def record(name: str, result: Any) -> None:
    """Print a result and write it to benchmarks/results/NAME.json with its command and date."""
    RESULTS.mkdir(exist_ok=True)
    entry = {
        "command": "python " + " ".join(["benchmarks/" + Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "hardware": processor(),
        "torch": torch.__version__,
        "result": result,
    }
    text = json.dumps(entry, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)
