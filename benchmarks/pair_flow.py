"""EmerGNN's flow restricted to paths against propagation over the whole graph.

    python benchmarks/pair_flow.py [pairs_of_the_twin] [pairs_of_the_flow]

DrugBank, random split, one simulated S1 epoch on Hetionet, dim 64, with bias, float32, one
thread, forward and backward, both directions of a pair. The whole-graph form is the plain torch
twin, one pair at a time. It writes a message an edge for every layer, so that much of its wall
time can be the system's, which hands out the memory: the ratio of user CPU time, without that, is
given beside the ratio of wall times, and is the one to quote. The plot shows the cost of a pair
on 10, 30 and 100 % of the edges.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import numpy as np
import torch
from common import RESULTS, best_of, peak_mib, record

from parsimony.ddi.emergence import simulate_emergence
from parsimony.ddi.emergnn.flow import PairFlow
from parsimony.ddi.emergnn.flow_torch import WholeGraph, plain_flow
from parsimony.ddi.task import DDITask
from parsimony.kernels.emergnn.graph import ActiveGraph, PairGraph
from parsimony.problems import open_task

DIM = 64
BATCH = 32


def parameters(messages: int, *, biased: bool = True) -> list[Any]:
    """e, w and b of the published sizes."""
    e = torch.randn(3, messages, DIM) * (6 / (messages + DIM)) ** 0.5
    w = torch.randn(3, DIM, DIM) / DIM**0.5
    b = torch.randn(3, DIM) / DIM**0.5 if biased else None
    return [None if x is None else x.requires_grad_() for x in (e, w, b)]


def pair_inputs(n: int, messages: int) -> list[torch.Tensor]:
    """f and α of n pairs."""
    return [torch.randn(n, 2, DIM).requires_grad_(), torch.rand(n, 3, messages).requires_grad_()]


def epoch(task: DDITask, share: float) -> tuple[ActiveGraph, np.ndarray]:
    """The graph of one simulated epoch on a share of the edges, and its target pairs."""
    rng = np.random.default_rng(0)
    train, background = task.data.pairs["train"], task.background
    emergence = simulate_emergence(train, "S1", rng)
    kept = background.triples[rng.random(len(background.triples)) < share]
    active = emergence.active * (rng.random(len(train)) < share)
    built = PairGraph(
        len(background.entities), kept, len(background.relations), train, task.data.n_types
    )
    asked = train[rng.permutation(emergence.targets)][:, [0, 2]]
    return built.activate(active.astype(np.uint8)), np.ascontiguousarray(asked)


def restricted(graph: ActiveGraph, pairs: np.ndarray, threads: int, *, biased: bool = True) -> dict:
    """Milliseconds a pair, forward and backward, and edges touched."""
    flow = PairFlow(threads)
    shared = parameters(graph.n_messages, biased=biased)
    sizes, forward, backward = [], 0.0, 0.0
    flow(graph, pairs[:1], *pair_inputs(1, graph.n_messages), *shared).sum().backward()  # compiles
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        inputs = pair_inputs(len(batch), graph.n_messages)
        begin = time.perf_counter()
        out = flow(graph, batch, *inputs, *shared)
        middle = time.perf_counter()
        out.sum().backward()
        backward += time.perf_counter() - middle
        forward += middle - begin
        sizes.append(flow.size_)
    flow.close()
    size = np.concatenate(sizes)
    edges, entries = size[:, [0, 2]].ravel(), size[:, [1, 3]].ravel()
    shares = {"median": 50, "p90": 90, "p99": 99}
    return {
        "pairs": len(pairs),
        "threads": threads,
        "forward_ms": 1e3 * forward / len(pairs),
        "backward_ms": 1e3 * backward / len(pairs),
        "edges_a_direction": {k: float(np.percentile(edges, q)) for k, q in shares.items()},
        "merged_entries": {k: float(np.percentile(entries, q)) for k, q in shares.items()},
    }


def whole(graph: ActiveGraph, pairs: np.ndarray) -> list[dict[str, float]]:
    """Milliseconds of every pair by the twin, forward and backward, both directions."""
    every = WholeGraph(graph, torch.float32)
    shared = parameters(graph.n_messages)
    times = []
    for u, v in pairs:
        f, alpha = pair_inputs(1, graph.n_messages)
        before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        for a, b, x in ((u, v, f[0, 0]), (v, u, f[0, 1])):
            plain_flow(every, int(a), int(b), x, alpha[0], *shared).sum().backward()
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
        times.append(
            {
                "wall": 1e3 * wall,
                "user": 1e3 * (after.ru_utime - before.ru_utime),
                "system": 1e3 * (after.ru_stime - before.ru_stime),
            }
        )
    return times


def single(graph: ActiveGraph, pairs: np.ndarray) -> float:
    """Median milliseconds of one pair scored alone, its digraph included."""
    flow, shared = PairFlow(), parameters(graph.n_messages)
    times = []
    with torch.no_grad():
        for pair in pairs:
            inputs = pair_inputs(1, graph.n_messages)
            times.append(
                best_of(lambda p=pair, x=inputs: flow(graph, p[None], *x, *shared), 1) * 1e3
            )
    return float(np.median(times))


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    few = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    task = open_task("ddi", "drugbank-ddi", {"setting": "S1", "graph": "hetionet"})
    growth = []
    for share in (0.1, 0.3, 1.0):
        graph, pairs = epoch(task, share)
        found = restricted(graph, pairs[:many], 1)
        growth.append({"share": share, "message_edges": len(graph.neighbour), **found})
    result = {
        "growth": growth,
        "without_bias": restricted(graph, pairs[:many], 1, biased=False),
        "two_threads": restricted(graph, pairs[:many], 2),
        "targets_of_the_epoch": len(pairs),
        "single_pair_ms": single(graph, pairs[:200]),
        "peak_mib_before_the_twin": peak_mib(),
    }
    both = result["two_threads"]
    result["epoch_seconds_two_threads"] = (
        (both["forward_ms"] + both["backward_ms"]) * len(pairs) / 1e3
    )
    slow = whole(graph, pairs[:few])
    ours = growth[-1]["forward_ms"] + growth[-1]["backward_ms"]
    result["whole_graph_ms"] = slow
    # Wall time of ours: with one thread it bounds its CPU time from above.
    for kind in ("wall", "user"):
        result[f"ratio_{kind}"] = float(np.mean([row[kind] for row in slow])) / ours
    record("pair_flow", result)
    plot(growth)


def plot(growth: list[dict]) -> None:
    """Cost and edges of a pair against the size of the graph."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    edges = [row["message_edges"] for row in growth]
    cost = [row["forward_ms"] + row["backward_ms"] for row in growth]
    left.loglog(edges, cost, "o-")
    left.set(ylabel="ms a pair", title="forward and backward, one thread")
    for name in ("median", "p90", "p99"):
        right.loglog(edges, [row["edges_a_direction"][name] for row in growth], "o-", label=name)
    right.set(ylabel="path edges a direction", title="what a pair touches")
    right.legend()
    for axis in (left, right):
        axis.set_xticks(edges, [f"{n / 1e6:.1f}" for n in edges], minor=False)
        axis.set_xticks([], minor=True)
        axis.set_xlabel("message edges, millions")
    left.set_yticks(cost, [f"{ms:.2f}" for ms in cost], minor=False)
    left.set_yticks([], minor=True)
    figure.savefig(RESULTS / "pair_flow.png", dpi=120)


if __name__ == "__main__":
    main()
