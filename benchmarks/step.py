"""A training step: fused against plain torch and against the floor of its own dense part.

    python benchmarks/step.py wn18rr [redgnn|adaprop] [steps]

One run on one thread: the fused step (forward, backward), the plain torch twin on the same CSR
expansion, and the matrix products of the fused step alone, replayed at their shapes (the floor).
All times are of the processor, the fastest of three: other work on the machine counts less.
Peak memory of each form is taken in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from common import Prepared, best_of, peak_mib, record

from parsimony.kernels.products import measured
from parsimony.link.reasoning.architecture import Counts
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.propagation_torch import plain_forward, plain_loss
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights

REPEATS = 3  # of every step and every product; the fastest counts


def fused(prepared: Prepared) -> tuple[Propagation, Any]:
    """The fused form and a function that runs step ``i``."""
    graph = prepared.task.train_graph
    form = Propagation(Walkable(graph.digraph), graph.n_entities, prepared.architecture)
    gradient = Weights(prepared.estimator.shapes_)

    def step(i: int) -> float:
        return form.loss_and_gradient(
            prepared.weights, prepared.batch(i), prepared.active, gradient, train_seed=i
        )

    return form, step


def plain(prepared: Prepared) -> Any:
    """A function that runs step ``i`` of the plain form."""
    graph = prepared.task.train_graph

    def step(i: int) -> float:
        tensors = {
            k: torch.from_numpy(v.copy()).requires_grad_() for k, v in prepared.weights.items()
        }
        batch = prepared.batch(i)
        frontier, scores = plain_forward(
            Walkable(graph.digraph), graph.n_entities, prepared.architecture, tensors, batch.head,
            batch.relation, prepared.active, train_seed=i,
        )  # fmt: skip
        loss = plain_loss(frontier, scores, graph.n_entities, batch)
        loss.backward()
        return float(loss.detach())

    return step


def products(form: Propagation) -> list[tuple[int, int, int]]:
    """(rows, in, out) of every product of the last step: forward and its two gradients."""
    d, a = form.architecture.dim, form.architecture.attention_dim
    shapes = []
    for layer in form._layers:
        shapes.append((len(layer.hidden), d, a))
        shapes.append((len(layer.x), d, d))
        shapes.append((len(layer.gate), d, 3 * d))
        if len(layer.y_n):
            shapes.append((len(layer.y_n), d, 3 * d))
    return shapes


def replay(shapes: list[tuple[int, int, int]]) -> float:
    """Seconds of the products alone, warm buffers: out = x w, d_w = xᵀ g, d_x = g wᵀ."""
    seconds = 0.0
    for n, i, o in shapes:
        x, w, g = torch.rand(n, i), torch.rand(i, o), torch.rand(n, o)
        out, d_w, d_x = torch.empty(n, o), torch.empty(i, o), torch.empty(n, i)
        for left, right, result in ((x, w, out), (x.T, g, d_w), (g, w.T, d_x)):
            product = partial(torch.mm, left, right, out=result)
            seconds += best_of(product, REPEATS, time.process_time)
    return seconds


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "wn18rr"
    method = sys.argv[2] if len(sys.argv) > 2 else "redgnn"
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    torch.set_num_threads(1)
    if len(sys.argv) > 4:  # a child: peak memory of one form
        prepared = Prepared(name, method)
        step = fused(prepared)[1] if sys.argv[4] == "fused" else plain(prepared)
        for i in range(3):
            step(i)
        print(peak_mib())
        return
    prepared = Prepared(name, method)
    form, run = fused(prepared)
    run(0), run(1)
    form.counts, form.profile = Counts(), True
    times, floors, flops = [], [], 0.0
    for i in range(steps):
        times.append(best_of(lambda i=i: run(i), REPEATS, time.process_time))
        shapes = products(form)
        floors.append(replay(shapes))
        flops += 6 * sum(n * i * o for n, i, o in shapes)
    counts, ran = form.counts, steps * REPEATS
    run_plain = plain(prepared)
    run_plain(0)
    plain_times = [
        best_of(lambda i=i: run_plain(i), REPEATS, time.process_time) for i in range(min(steps, 5))
    ]
    memory = {
        kind: float(
            subprocess.run(
                [sys.executable, __file__, name, method, "0", kind],
                capture_output=True, text=True, check=True,
            ).stdout.split()[-1]
        )
        for kind in ("fused", "plain")
    }  # fmt: skip
    median = sorted(times)[len(times) // 2]
    n_steps = -(-len(prepared.queries) // prepared.resolved.batch)
    record(
        f"step-{name}-{method}",
        {
            "batch": prepared.resolved.batch,
            "threads": 1,
            "products": asdict(measured()),
            "fused_ms": 1e3 * median,
            "plain_torch_ms": 1e3 * sorted(plain_times)[len(plain_times) // 2],
            "dense_floor_ms": 1e3 * sorted(floors)[len(floors) // 2],
            "fused_over_floor": median / sorted(floors)[len(floors) // 2],
            "plain_over_fused": sorted(plain_times)[len(plain_times) // 2] / median,
            "sgemm_gflops_at_these_shapes": flops / sum(floors) / 1e9,
            "profile_ms_a_step": {k: 1e3 * v / ran for k, v in counts.seconds.items()},
            "rows_a_step": counts.rows / ran,
            "nodes_a_step": counts.nodes / ran,
            "edges_a_step": counts.edges / ran,
            "edges_before_collapse": counts.edges_visited / ran,
            "steps_an_epoch": n_steps,
            "epoch_seconds_one_thread": n_steps * sum(times) / steps,
            "peak_mib": memory,
        },
    )


if __name__ == "__main__":
    main()
