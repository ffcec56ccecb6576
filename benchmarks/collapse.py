"""How many dense rows the collapse of equal states saves, per dataset and layer.

    python benchmarks/collapse.py

Training facts, batches of the preset, mean of ten batches on one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import Prepared, record

from parsimony.kernels.redgnn.frontier import Scratch, expand, restrict, start


def main() -> None:
    result: dict[str, Any] = {}
    for name in ("family", "umls", "wn18rr", "WN18RR_v1", "fb237_v1", "nell_v1", "fb15k-237"):
        prepared = Prepared(name)
        graph = prepared.task.train_graph
        walkable = restrict(*graph.digraph, prepared.active)
        scratch = Scratch(graph.n_entities)
        layers = np.zeros((prepared.architecture.n_layers, 4))
        n_queries = 0
        for number in range(10):
            heads, relations, _, _ = prepared.batch(number)
            n_queries += len(heads)
            for column, share in ((1, False), (2, True)):
                frontier, q = start(heads, relations, share=share)
                row_query = np.arange(len(q), dtype=np.int32)
                for layer in range(len(layers)):
                    step = expand(walkable, graph.n_relations, frontier, row_query, scratch)
                    frontier, row_query = step.frontier, step.query
                    layers[layer, column] += len(step.indptr) - 1
                    if share:
                        layers[layer, 0] += len(frontier.node)
                        layers[layer, 3] += step.edges_visited
        layers /= n_queries
        result[name] = {
            "layers": [
                dict(zip(("nodes", "rows_of_one_query", "rows_of_the_batch", "edges"),
                         np.round(row, 1).tolist(), strict=True))
                for row in layers
            ],
            "nodes_a_query": round(float(layers[:, 0].sum()), 1),
            "rows_a_query": round(float(layers[:, 2].sum()), 1),
            "times_fewer": round(float(layers[:, 0].sum() / layers[:, 2].sum()), 2),
        }  # fmt: skip
    record("collapse", result)


if __name__ == "__main__":
    main()
