"""Where a training step of AdaProp goes, pruned by states and by messages.

    python benchmarks/adaprop_step.py fb15k-237 [steps] [NAME=VALUE …]

One thread, the dataset's preset, batches of its first epoch; processor time, and the same weights
and batches for both. With activation ``identity`` the message form is given w = W_hᵀ w_s, for which
it is the same model: its loss must be the same.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from common import Prepared, record

from parsimony.link.reasoning import propagation
from parsimony.link.reasoning.architecture import Counts
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights


def profile(prepared: Prepared, steps: int, *, from_message: bool) -> dict[str, Any]:
    """Seconds of every part of a step, what it visits, and its losses."""
    graph = prepared.task.train_graph
    architecture = replace(prepared.architecture, from_message=from_message)
    form = Propagation(Walkable(graph.digraph), graph.n_entities, architecture, profile=True)
    weights = Weights(prepared.weights.shapes, prepared.weights.flat.copy())
    if from_message:
        for layer in range(architecture.n_layers):
            w = weights[f"layer{layer}.w_sample"]
            w[...] = weights[f"layer{layer}.W_h"].T @ w
    gradient = Weights(weights.shapes)

    def step(i: int) -> float:
        gradient.flat.fill(0)
        return form.loss_and_gradient(
            weights, prepared.batch(i), prepared.active, gradient, train_seed=i
        )

    step(0)
    form.counts = Counts()
    begin = time.process_time()
    losses = [step(i) for i in range(1, steps + 1)]
    seconds = (time.process_time() - begin) / steps
    counts = form.counts
    old = sum(len(layer.y_n) for layer in form._layers)
    return {
        "seconds": round(seconds, 3),
        "parts": {name: round(s / steps, 3) for name, s in counts.seconds.items()},
        "rows with messages": counts.rows // steps,
        "rows with a GRU state": sum(len(layer.x_kept) for layer in form._layers),
        "of them continued": old,
        "edges with messages": counts.edges // steps,
        "nodes reached": counts.nodes // steps,
        "losses": [round(loss, 4) for loss in losses],
    }


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "fb15k-237"
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    options = dict(option.split("=") for option in sys.argv[3:])
    torch.set_num_threads(1)
    propagation.time = SimpleNamespace(perf_counter=time.process_time)  # type: ignore[attr-defined]  # parts, like the whole
    prepared = Prepared(name, "adaprop", **{k: json.loads(v) for k, v in options.items()})
    result = {
        "architecture": str(prepared.architecture),
        "by state": profile(prepared, steps, from_message=False),
        "by message": profile(prepared, steps, from_message=True),
    }
    same = np.allclose(result["by state"]["losses"], result["by message"]["losses"], rtol=1e-3)
    result["same losses"] = bool(same)
    record("-".join(["adaprop_step", name, *options.values()]), result)


if __name__ == "__main__":
    main()
