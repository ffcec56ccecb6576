"""Each edge kernel against the gather floor of the same run, and its share of a step.

    python benchmarks/edges.py

Floor: one pass that reads the source and relation rows of every edge and adds them up, the least
that any implementation must read. Both in the same run, one thread, on the last layer of a umls
step and on a random multigraph (1M edges, 50k nodes, 50 relations: the one of ../anchors).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import Prepared, best_of, record

from parsimony.kernels.numerics import kernel
from parsimony.kernels.redgnn.attention import attention_kernels
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights


def gather(dim: int) -> Any:
    """The floor for one dimension."""

    @kernel
    def floor(indptr, source, relation, hidden, embedding, out):  # type: ignore[no-untyped-def]
        for i in range(indptr.shape[0] - 1):
            m = out[i]
            for k in range(dim):
                m[k] = 0
            for e in range(indptr[i], indptr[i + 1]):
                h = hidden[source[e]]
                x = embedding[relation[e]]
                for k in range(dim):
                    m[k] += h[k] + x[k]

    return floor


def measure(indptr: Any, source: Any, relation: Any, n_sources: int, n_relations: int, dim: int,
            attention_dim: int) -> dict[str, float]:  # fmt: skip
    """Milliseconds of floor, forward and backward, and their ratios."""
    rng = np.random.default_rng(0)

    def random(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(np.float32)

    hidden, embedding = random(n_sources, dim), random(n_relations, dim)
    a, p = random(n_sources, attention_dim), random(n_relations, attention_dim)
    w, b = random(attention_dim), random(1)
    alpha, out = np.empty(len(source), np.float32), np.empty((len(indptr) - 1, dim), np.float32)
    gradients = [np.zeros_like(x) for x in (a, p, b, hidden, embedding)]
    kernels, floor = attention_kernels(dim, attention_dim), gather(dim)
    f = lambda: floor(indptr, source, relation, hidden, embedding, out)  # noqa: E731
    forward = lambda: kernels.forward(  # noqa: E731
        indptr, source, relation, a, p, w, b, hidden, embedding, alpha, out
    )
    backward = lambda: kernels.backward(  # noqa: E731
        indptr, source, relation, a, p, hidden, embedding, alpha, out, *gradients
    )
    f(), forward(), backward()
    ms = {name: 1e3 * best_of(g, 15) for name, g in
          (("gather", f), ("forward", forward), ("backward", backward))}  # fmt: skip
    return {
        "edges": len(source),
        **{f"{k}_ms": v for k, v in ms.items()},
        "forward_over_gather": ms["forward"] / ms["gather"],
        "backward_over_gather": ms["backward"] / ms["gather"],
    }


def main() -> None:
    result: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    n, m, r = 50_000, 1_000_000, 50
    for dim in (32, 64):
        target = np.sort(rng.integers(0, n, m))
        indptr = np.searchsorted(target, np.arange(n + 1)).astype(np.int64)
        source = rng.integers(0, n, m).astype(np.int32)
        relation = rng.integers(0, r, m).astype(np.int32)
        result[f"random d={dim}"] = measure(indptr, source, relation, n, r, dim, 5)
    for name in ("umls", "wn18rr"):
        prepared = Prepared(name)
        graph = prepared.task.train_graph
        walkable = Walkable(graph.digraph)
        form = Propagation(walkable, graph.n_entities, prepared.architecture, profile=True)
        gradient = Weights(prepared.estimator.shapes_)
        for i in range(6):
            if i == 1:
                form.counts.seconds.clear()
            form.loss_and_gradient(
                prepared.weights, prepared.batch(i), prepared.active, gradient, train_seed=i
            )
        layer = form._layers[-1]
        step = layer.step
        result[f"{name} last layer"] = {
            **measure(
                step.indptr, step.source, step.relation, len(layer.hidden), len(layer.p),
                prepared.architecture.dim, prepared.architecture.attention_dim,
            ),
            "share_of_a_step": form.counts.seconds["edges"] / sum(form.counts.seconds.values()),
        }  # fmt: skip
    record("edges", result)


if __name__ == "__main__":
    main()
