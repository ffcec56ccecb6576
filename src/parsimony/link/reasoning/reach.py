"""What a batch of queries walks: rows, edges and entities of every step, before any training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.redgnn.frontier import Scratch, expand, start
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.node_sampler import sample
from parsimony.run.seeds import rng

__all__ = ["Walked", "batch_bytes", "walked"]

#: queries that are walked to know what a batch takes
SAMPLE = 32
#: buffers are made larger than they have to be (workspace.py), which costs little until it is used
GROWTH = 1.05


class Walked(NamedTuple):
    """One step of a batch.

    Attributes
    ----------
    sources, rows, kept, old
        Rows of the step before, of this one, those that the sampler keeps, and those of them that
        go on from the step before.
    edges
        Edges between rows.
    nodes, visited
        Entities reached, and edges that lead to them, before equal states are merged.
    """

    sources: int
    rows: int
    kept: int
    old: int
    edges: int
    nodes: int
    visited: int


def walked(
    graph: KnowledgeGraph, architecture: Architecture, queries: int, seed: int, *, training: bool
) -> list[Walked]:
    """Walk the steps of a batch of queries of random facts.

    AdaProp's sampler keeps new entities at random, as one that has learned nothing does.

    Parameters
    ----------
    queries
        How many.
    training
        Whether equal states of different queries stay apart, as AdaProp's do in training.
    """
    drawn = rng(seed, "walked")
    facts = graph.triples[drawn.integers(len(graph), size=queries)]
    k = architecture.top_k
    share = not (training and k is not None)
    frontier, _ = start(facts[:, 0], facts[:, 1], share=share)
    n = len(np.unique(frontier.row))
    of_row, scratch, steps = np.arange(n, dtype=np.int32), Scratch(graph.n_entities), list[Walked]()
    for _ in range(architecture.n_layers):
        step = expand(
            graph.digraph[:3], graph.n_relations, frontier, of_row, scratch, collapse=True
        )
        rows = kept = len(step.indptr) - 1
        before, frontier, of_row = frontier, step.frontier, step.query
        if k is not None:
            logit = drawn.standard_normal(rows, np.float32)
            n_old = len(step.previous)
            frontier, sampling = sample(logit, before, step.frontier, n_old, k, None)
            kept, of_row = len(sampling.kept_rows), step.query[sampling.kept_rows]
        steps.append(
            Walked(
                n, rows, kept, len(step.previous), len(step.source), len(frontier.node),
                step.edges_visited,
            )
        )  # fmt: skip
        n = kept
    return steps


def batch_bytes(
    graph: KnowledgeGraph, architecture: Architecture, queries: int, seed: int, *, training: bool
) -> float:
    """Bytes of the buffers of a batch: of numbers of 4 bytes, for the rows and edges of its walks.

    Every layer keeps its rows' messages and states, of training also what goes backward:
    :mod:`parsimony.link.reasoning.propagation` names them.
    """
    some = min(queries, SAMPLE)
    d, a = architecture.dim, architecture.attention_dim
    numbers, most = 0.0, 0.0
    for step in walked(graph, architecture, some, seed, training=training):
        apart = architecture.top_k is not None or (training and architecture.dropout > 0)
        numbers += 2 * d * step.rows + (4 + apart) * d * step.kept + d * step.old
        numbers += a * step.sources + (3 + architecture.relative) * step.edges
        backward = (2 * d + a) * step.sources + d * step.kept
        backward += d * step.rows if architecture.top_k is not None else 0
        most = max(most, backward + 4 * step.nodes)
    return 4 * GROWTH * (numbers + (most if training else 0)) * queries / some
