"""Step time and memory against the number of edges, on synthetic graphs, as a plot.

    python benchmarks/growth.py [most_edges]

Each size in a process of its own (peak memory): a random multigraph with 8 edges an entity and
20 relations, RED-GNN with L = 3, batch 20, one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import torch
from common import RESULTS, peak_mib, record

from parsimony.graph import KnowledgeGraph
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights, layout
from parsimony.link.task import training_batch


def one(n_edges: int) -> dict[str, float]:
    """Build, step, report."""
    rng = np.random.default_rng(0)
    n = n_edges // 8
    triples = np.stack(
        [rng.integers(0, n, n_edges), rng.integers(0, 20, n_edges), rng.integers(0, n, n_edges)], 1
    ).astype(np.int32)
    begin = time.perf_counter()
    graph = KnowledgeGraph(triples, n, 20)
    digraph = graph.digraph
    built = time.perf_counter() - begin
    before = peak_mib()
    arch = Architecture(20, 48, 5, 3)
    shapes = layout(20, 48, 5, 3, sampler=False)
    weights, gradient = Weights(shapes).initialise(rng), Weights(shapes)
    form = Propagation(Walkable(digraph), n, arch)
    active = np.ones(n_edges, np.uint8)
    times = []
    for i in range(6):
        q = triples[rng.integers(0, n_edges, 20)]
        begin = time.perf_counter()
        form.loss_and_gradient(weights, training_batch(q, 20), active, gradient, train_seed=i)
        times.append(time.perf_counter() - begin)
    return {
        "edges": n_edges,
        "build_seconds": built,
        "step_ms": 1e3 * sorted(times[1:])[2],
        "peak_mib": peak_mib(),
        "peak_mib_before_steps": before,
    }


def main() -> None:
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        print(json.dumps(one(int(sys.argv[2]))))
        return
    most = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10_000_000
    rows = []
    size = 10_000
    while size <= most:
        child = subprocess.run(
            [sys.executable, __file__, "one", str(size)], capture_output=True, text=True, check=True
        )
        rows.append(json.loads(child.stdout.splitlines()[-1]))
        size *= 10
    record("growth", rows)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    edges = [row["edges"] for row in rows]
    left.loglog(edges, [row["step_ms"] for row in rows], "o-")
    left.set(xlabel="edges", ylabel="step (ms)", title="20 queries, L = 3, one thread")
    right.loglog(edges, [row["peak_mib"] for row in rows], "o-")
    right.set(xlabel="edges", ylabel="peak memory (MiB)", title="whole process")
    figure.savefig(RESULTS / "growth.png", dpi=120)


if __name__ == "__main__":
    main()
