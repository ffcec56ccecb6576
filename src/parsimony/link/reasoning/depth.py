"""The depth of a reasoner, from the facts themselves.

For every ℓ: the share of training facts whose ends stay joined by a walk of at most ℓ steps when
the fact itself is taken out, and the edges that a query then costs. A deeper reasoner answers no
more once the share stops rising, and costs more where the edges go on growing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.redgnn.reach import reach
from parsimony.run.seeds import rng

__all__ = ["DEEPEST", "Depth", "choose_depth", "depth_note", "depths"]

#: steps that are looked at
DEEPEST = 5
#: facts that are looked at
_FACTS = 200
#: edges of a query at most, and of the one step more than is needed
MOST_EDGES, CHEAP_EDGES = 100_000, 15_000
#: of the share of joined facts, what is given away for a smaller depth
TOLERANCE = 0.04


@dataclass(frozen=True)
class Depth:
    """What ℓ steps give and cost.

    Attributes
    ----------
    joined
        Share of the facts, without themselves, whose ends a walk of at most so many steps joins.
    edges, nodes
        Mean edges over all steps, and entities reached, of a query.
    """

    steps: int
    joined: float
    edges: float
    nodes: float


def depths(graph: KnowledgeGraph, seed: int = 0, *, facts: int = _FACTS) -> list[Depth]:
    """Measure 1 … ``DEEPEST`` steps on facts drawn by the seed, but none that cost too much.

    More than two steps are measured as long as a query has ``MOST_EDGES`` at most.
    """
    drawn = rng(seed, "depth").choice(len(graph), min(facts, len(graph)), replace=False)
    rows = graph.triples[np.sort(drawn)]
    indptr, neighbour, _, fact = graph.digraph
    deepest, *found = reach(
        indptr, neighbour, fact, rows[:, 0].copy(), rows[:, 2].copy(),
        np.sort(drawn).astype(np.int64), DEEPEST, MOST_EDGES * len(drawn),
    )  # fmt: skip
    distance, edges, nodes = (np.asarray(each, np.float64) for each in found)
    total: npt.NDArray[np.float64] = edges.cumsum(1).mean(0)
    return [
        Depth(
            steps, float((distance <= steps).mean()), float(total[steps - 1]),
            float(nodes[:, steps - 1].mean()),
        )
        for steps in range(1, deepest + 1)
    ]  # fmt: skip


def choose_depth(found: list[Depth]) -> Depth:
    """The steps that join what can be joined, and one more where that is cheap.

    Of the depths whose queries cost at most ``MOST_EDGES`` the first whose share is within
    ``TOLERANCE`` of the largest; at least two steps, so that a rule has two atoms. Longer walks
    between ends that are joined already are further evidence: one step more is taken where it costs
    at most ``CHEAP_EDGES``.
    """
    able = [d for d in found if d.edges <= MOST_EDGES or d.steps <= 2]
    most = max(d.joined for d in able)
    chosen = next(d for d in able if d.steps >= 2 and d.joined >= most - TOLERANCE)
    deeper = found[chosen.steps] if chosen.steps < len(found) else chosen
    return deeper if deeper.edges <= CHEAP_EDGES else chosen


def depth_note(found: list[Depth], chosen: int) -> str:
    """Say in a line what was chosen, and what the other depths would have joined and cost."""
    shares = ", ".join(f"{d.steps}: {d.joined:.0%} for {_short(d.edges)}" for d in found)
    if len(found) < DEEPEST:
        shares += f", {len(found) + 1}: more than {_short(MOST_EDGES)}"
    return (
        f"n_layers = {chosen}, chosen by the facts that walks of so many steps join again once "
        f"taken out, and by the edges of a query: {shares}"
    )


def _short(edges: float) -> str:
    return f"{edges:,.0f}" if edges < 1000 else f"{edges / 1000:,.0f} k"
