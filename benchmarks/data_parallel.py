"""Steps a second of a reasoner by one process and by several, each of one thread, in one run.

    python benchmarks/data_parallel.py wn18rr [redgnn|adaprop] [workers] [steps]

The same batches, at the preset's size, are walked by both in turns; the fastest round of each
counts. Losses are compared batch by batch: without dropout, shards change nothing but rounding.
Times are of the wall, so the machine must be idle: ``load`` is what it was before. On a busy one,
``cpu_ratio`` is what the wall would show if nobody had to wait: seconds of the processor a step,
of one process over those of the first of several.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import torch
from common import Prepared, record

from parsimony.link.reasoning.crew import CrewPropagation
from parsimony.link.reasoning.sharding import ShardedPropagation
from parsimony.link.reasoning.weights import Weights
from parsimony.training.workers import crew

ROUNDS = 3


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "wn18rr"
    method = sys.argv[2] if len(sys.argv) > 2 else "redgnn"
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    steps = int(sys.argv[4]) if len(sys.argv) > 4 else 10
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    prepared = Prepared(name, method)
    graph, shapes = prepared.task.train_graph, prepared.estimator.shapes_
    size = prepared.resolved.batch
    gradients = [Weights(shapes)]

    def walk(propagation: Any) -> tuple[float, float, list[float]]:
        begin, cpu, losses = time.perf_counter(), time.process_time(), []
        for i in range(steps):
            batch = prepared.queries[i * size : (i + 1) * size]
            losses.append(propagation.step(prepared.weights, gradients, batch, prepared.active, i))
        wall, spent = time.perf_counter() - begin, time.process_time() - cpu
        return steps / wall, steps / spent, losses

    alone = ShardedPropagation(graph, prepared.architecture, 1)
    rates = {"one": 0.0, "several": 0.0}
    by_cpu = dict(rates)
    with crew(workers, type(prepared.estimator)) as others:
        assert others is not None
        shared = CrewPropagation(graph, prepared.architecture, workers, others, None, shapes)
        walk(alone), walk(shared)
        for _ in range(ROUNDS):
            for which, propagation in (("one", alone), ("several", shared)):
                rate, cpu_rate, losses = walk(propagation)
                rates[which] = max(rates[which], rate)
                by_cpu[which] = max(by_cpu[which], cpu_rate)
                if which == "one":
                    expected = losses
        apart = max(abs(a - b) / abs(b) for a, b in zip(losses, expected, strict=True))
    record(
        f"data-parallel-{name}-{method}",
        {
            "batch": size,
            "workers": workers,
            "threads_each": 1,
            "load": load,
            "steps_a_second": rates,
            "ratio": rates["several"] / rates["one"],
            "cpu_ratio": by_cpu["several"] / by_cpu["one"],
            "largest_relative_difference_of_losses": apart,
        },
    )


if __name__ == "__main__":
    main()
