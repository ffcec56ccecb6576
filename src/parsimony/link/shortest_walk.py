"""How far apart two entities are in the facts that are walked."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order

from parsimony.graph import KnowledgeGraph

__all__ = ["NO_WALK", "shortest_walk", "steps"]

NO_WALK = "no walk at all joins them in the facts walked"


def shortest_walk(
    graph: KnowledgeGraph, start: int, goal: int, without: tuple[int, int, int]
) -> int | None:
    """Length of the shortest walk over facts in either direction, by breadth-first search.

    Parameters
    ----------
    start, goal
        Entities by id.
    without
        A fact (head, relation, tail) that is not walked.

    Returns
    -------
    int or None
        None where no walk joins them.
    """
    digraph = graph.digraph
    kept = (graph.triples != np.array(without, np.int32)).any(axis=1)[digraph.fact]
    ptr = np.concatenate([[0], np.cumsum(kept)])[digraph.indptr]
    neighbour, n = digraph.neighbour[kept], graph.n_entities
    edges = sparse.csr_matrix((np.ones(len(neighbour), np.int8), neighbour, ptr), (n, n))
    _, before = breadth_first_order(edges, start)
    length, at = 0, goal
    while at != start:
        at, length = int(before[at]), length + 1
        if at < 0:
            return None
    return length


def steps(length: int) -> str:
    """Say how long a walk may be."""
    return "1 step" if length == 1 else f"≤ {length} steps"
