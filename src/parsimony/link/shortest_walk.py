"""How far apart two entities are in the facts that are walked."""

from __future__ import annotations

import numpy as np

from parsimony.graph import KnowledgeGraph
from parsimony.link.task import runs_of

__all__ = ["NO_WALK", "shortest_walk", "steps"]

NO_WALK = "no walk at all joins them in the facts walked"


def shortest_walk(
    graph: KnowledgeGraph, start: int, goal: int, without: tuple[int, int, int]
) -> int | None:
    """Length of the shortest walk over facts in either direction, searched from both ends.

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
    if start == goal:
        return 0
    digraph, gone = graph.digraph, graph.rows_of(without)
    seen = np.zeros((2, graph.n_entities), bool)
    fronts = [np.array([start]), np.array([goal])]
    seen[0, start] = seen[1, goal] = True
    length = 0
    while True:
        runs = [runs_of(digraph.indptr, front)[1] for front in fronts]
        side = int(len(runs[1]) < len(runs[0]))
        edges = runs[side]
        if not len(edges):
            return None
        if len(gone):
            edges = edges[~np.isin(digraph.fact[edges], gone)]
        reached = np.zeros(graph.n_entities, bool)
        reached[digraph.neighbour[edges]] = True
        length += 1
        if (reached & seen[1 - side]).any():
            return length
        fronts[side] = np.flatnonzero(reached & ~seen[side])
        seen[side] |= reached


def steps(length: int) -> str:
    """Say how long a walk may be."""
    return "1 step" if length == 1 else f"≤ {length} steps"
