"""The digraph of paths between two drugs, and what every walk adds to an interaction's logit.

With its ReLU masks held, the flow is a sum over walks u –r₁→ x –r₂→ y –r₃→ v:

    h³ = Σ M₃ W³ (ρ³_{r₃} ∘ M_y W² (ρ²_{r₂} ∘ M_x W¹ (ρ¹_{r₁} ∘ f_u)))

so that a walk's part of the logit is exact, not a mean of attentions (methods/05 h). Where
log(1 + h) is read, the slope is log(1 + h) / h: the parts still add up to the logit. With biases
the walks add up to what the flow has above its constant background, in the same masks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.pair_graph import ActiveGraph, inverse_of
from parsimony.kernels.pair_paths import middle_edges, neighbourhood

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class FlowWeights(NamedTuple):
    """What the flow of one pair multiplies with, in float64."""

    f: FloatArray  # (2, dim) f_u, f_v
    rho: FloatArray  # (3, 2R + 1, dim) α e
    w: FloatArray  # (3, dim, dim)
    b: FloatArray | None  # (3, dim)
    read: FloatArray  # (2, dim) of the explained type: for h_{u→v}, h_{v→u}
    log_states: bool


class PathDigraph:
    """Edges on paths of length ≤ 3 between u and v, in the direction from u to v.

    Attributes
    ----------
    first : int array, shape (n, 2)
        Index of the node x in ``nodes[0]``, relation of u → x.
    middle : int array, shape (m, 3)
        Index of x, relation of x → y, index of y in ``nodes[1]``.
    last : int array, shape (k, 2)
        Index of y, relation of y → v.
    """

    def __init__(self, graph: ActiveGraph, u: int, v: int, hidden: int) -> None:
        self.graph, self.u, self.v = graph, u, v
        self._invert = np.array(
            [inverse_of(r, graph.n_relations) for r in range(graph.n_messages)], np.int64
        )
        pair = np.array([u, v], np.int32)
        adjacency = (graph.indptr, graph.neighbour, graph.relation)
        rest = (pair, hidden, graph.n_types, graph.n_relations)
        ends, nodes = [], []
        for x in (u, v):
            node, group, begin, end, kept = neighbourhood(*adjacency, x, *rest)
            nodes.append(node)
            times = (end - begin)[group]
            row = np.repeat(np.arange(len(node)), times)
            offset = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
            ends.append(np.stack([row, kept[np.repeat(begin[group], times) + offset]], 1))
        position = np.full(graph.n_entities, np.int32(-1), np.int32)
        found = middle_edges(*adjacency, *nodes, position, *rest)
        self.nodes = nodes
        self.first = ends[0].astype(np.int64)
        self.middle = found.astype(np.int64)
        self.last = ends[1].astype(np.int64)
        self.last[:, 1] = self._invert[self.last[:, 1]]

    def turned(self) -> tuple[IntArray, IntArray, IntArray]:
        """First, middle and last edges in the direction from v to u; rows keep their order."""
        flip = self._invert
        first = np.stack([self.last[:, 0], flip[self.last[:, 1]]], 1)
        middle = np.stack([self.middle[:, 2], flip[self.middle[:, 1]], self.middle[:, 0]], 1)
        return first, middle, np.stack([self.first[:, 0], flip[self.first[:, 1]]], 1)

    def factors(self, entity: int | npt.NDArray[np.int32], relation: IntArray) -> FloatArray:
        """By what messages of the relations into the entities are multiplied."""
        graph = self.graph
        entities = np.broadcast_to(np.asarray(entity), relation.shape)
        out = np.ones(len(relation))
        if graph.normalised:
            for i, (x, r) in enumerate(zip(entities.tolist(), relation.tolist(), strict=True)):
                span = slice(graph.degree_ptr[x], graph.degree_ptr[x + 1])
                at = np.flatnonzero(graph.degree_relation[span] == r)[0]
                out[i] = graph.degree_weight[span][at]
        return out

    def walks(self) -> IntArray:
        """Every walk as rows of first, middle and last: (n_walks, 3)."""
        n_x, n_y = len(self.nodes[0]), len(self.nodes[1])
        before = np.bincount(self.first[:, 0], minlength=n_x)
        after = np.bincount(self.last[:, 0], minlength=n_y)
        # edges of the two ends lie sorted by node
        start_x, start_y = np.cumsum(before) - before, np.cumsum(after) - after
        x, y = self.middle[:, 0], self.middle[:, 2]
        times = before[x] * after[y]
        middle = np.repeat(np.arange(len(self.middle)), times)
        offset = np.arange(len(middle)) - np.repeat(np.cumsum(times) - times, times)
        width = after[y][middle]
        first = start_x[x][middle] + offset // np.maximum(width, 1)
        last = start_y[y][middle] + offset % np.maximum(width, 1)
        return np.stack([first, middle, last], 1)


class Kept(NamedTuple):
    """Which rows of first, middle and last are not deleted."""

    first: npt.NDArray[np.bool_]
    middle: npt.NDArray[np.bool_]
    last: npt.NDArray[np.bool_]


def flow_logit(
    paths: PathDigraph, weights: FlowWeights, kept: Kept | None = None
) -> tuple[float, FloatArray | None]:
    """The flows' part of the logit, and every walk's share of it where nothing is deleted.

    Returns
    -------
    logit : float
    contributions : float64 array, shape (n_walks,), or None
    """
    walks = paths.walks() if kept is None else None
    share = np.zeros(len(walks)) if walks is not None else None
    total = 0.0
    forth = (paths.first, paths.middle, paths.last)
    for side, (first, middle, last) in enumerate((forth, paths.turned())):
        to = paths.v if side == 0 else paths.u
        rows = paths.nodes[1 - side]
        weight2 = paths.factors(rows[middle[:, 2]], middle[:, 1])
        weight3 = paths.factors(to, last[:, 1])
        if kept is not None:
            keep = (kept.first, kept.middle, kept.last)[:: 1 if side == 0 else -1]
        else:
            keep = tuple(np.ones(len(part), bool) for part in (first, middle, last))
        logit, contribution = _one_flow(
            paths, weights, side, (first, middle, last), (weight2, weight3), keep, rows,
            None if walks is None else walks[:, :: 1 if side == 0 else -1],
        )  # fmt: skip
        total += logit
        if share is not None and contribution is not None:
            share += contribution
    return total, share


def _one_flow(
    paths: PathDigraph,
    weights: FlowWeights,
    side: int,
    edges: tuple[IntArray, IntArray, IntArray],
    factors: tuple[FloatArray, FloatArray],
    keep: tuple[npt.NDArray[np.bool_], ...],
    rows: npt.NDArray[np.int32],
    walks: IntArray | None,
) -> tuple[float, FloatArray | None]:
    """One direction; ``walks`` as rows of this direction's edges."""
    first, middle, last = edges
    rho, w, b = weights.rho, weights.w, weights.b
    d = rho.shape[2]
    bias = np.zeros((3, d)) if b is None else b
    constant = np.maximum(bias[0], 0)
    sent = np.zeros((len(paths.nodes[side]), d))
    np.add.at(sent, first[keep[0], 0], rho[0][first[keep[0], 1]])
    state1 = (sent * weights.f[side]) @ w[0].T + bias[0]
    excess = np.maximum(state1, 0) - constant
    through = rho[1][middle[:, 1]] * factors[0][:, None]
    z2 = np.zeros((len(rows), d))
    np.add.at(z2, middle[keep[1], 2], (through * excess[middle[:, 0]])[keep[1]])
    if b is not None:
        z2 += _background(paths.graph, rows, rho[1]) * constant
        np.subtract.at(z2, middle[~keep[1], 2], (through * constant)[~keep[1]])
    state2 = z2 @ w[1].T + bias[1]
    into = rho[2][last[:, 1]] * factors[1][:, None]
    z3 = (into * np.maximum(state2, 0)[last[:, 0]])[keep[2]].sum(0)
    state3 = z3 @ w[2].T + bias[2]
    h = np.maximum(state3, 0)
    value = np.log1p(h) if weights.log_states else h
    logit = float(weights.read[side] @ value)
    if walks is None:
        return logit, None
    slope = np.divide(value, h, out=np.zeros(d), where=h > 0)
    back3 = (weights.read[side] * slope) @ w[2]
    back2 = ((state2 > 0)[last[:, 0]] * into * back3) @ w[1]
    ahead = (state1 > 0)[first[:, 0]] * ((rho[0][first[:, 1]] * weights.f[side]) @ w[0].T)
    parts = ahead[walks[:, 0]] * through[walks[:, 1]] * back2[walks[:, 2]]
    return logit, parts.sum(1)


def _background(graph: ActiveGraph, rows: npt.NDArray[np.int32], rho: FloatArray) -> FloatArray:
    """Σ_r D[x, r] ω ρ²_r of every row."""
    out = np.zeros((len(rows), rho.shape[1]))
    for i, x in enumerate(rows.tolist()):
        span = slice(graph.degree_ptr[x], graph.degree_ptr[x + 1])
        weight = graph.degree_count[span] * graph.degree_weight[span]
        out[i] = weight @ rho[graph.degree_relation[span]]
    return out
