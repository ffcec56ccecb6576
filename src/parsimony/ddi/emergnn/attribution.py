"""The digraph of paths between two drugs, and what every walk adds to an interaction's logit.

With its ReLU masks held, the flow is a sum over walks u –r₁→ x –r₂→ y –r₃→ v:

    h³ = Σ M₃ W³ (ρ³_{r₃} ∘ M_y W² (ρ²_{r₂} ∘ M_x W¹ (ρ¹_{r₁} ∘ f_u)))

so that a walk's part of the logit is exact, not a mean of attentions (docs/methods/emergnn.md,
eq. 12). Where log(1 + h) is read, the slope is log(1 + h) / h: the parts still add up to the logit.
With biases the walks add up to what the flow has above its constant background, in the same masks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from parsimony.kernels.emergnn.attribution import walk_shares
from parsimony.kernels.emergnn.graph import ActiveGraph
from parsimony.kernels.emergnn.paths import merged, middle_edges, neighbourhood

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


class PairFlowParts(NamedTuple):
    """A pair's logit of one type, taken apart.

    Attributes
    ----------
    graph, hidden
        What the flow sees: the graph, and which interactions of the pair it hides.
    parts
        What is added to the flow's part, by name.
    weights
        What the flow multiplies with.
    """

    graph: ActiveGraph
    hidden: int
    parts: dict[str, float]
    weights: FlowWeights


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
    nodes : list of two int arrays
        The neighbours of u and of v.
    groups : list of two int arrays
        Of each neighbour, the number of its signature.
    """

    def __init__(self, graph: ActiveGraph, u: int, v: int, hidden: int) -> None:
        self.graph, self.u, self.v = graph, u, v
        r = np.arange(graph.n_relations)
        self._invert = np.concatenate([r + graph.n_relations, r, [2 * graph.n_relations]])
        pair = np.array([u, v], np.int32)
        adjacency = (graph.indptr, graph.neighbour, graph.relation)
        rest = (pair, hidden, graph.n_types, graph.n_relations)
        ends, nodes = [], []
        self.groups, self._n_groups = [], []
        for x in (u, v):
            node, group, begin, end, kept = neighbourhood(*adjacency, x, *rest)
            nodes.append(node)
            self.groups.append(group)
            self._n_groups.append(len(begin))
            times = (end - begin)[group]
            row = np.repeat(np.arange(len(node)), times)
            offset = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)
            ends.append(np.stack([row, kept[np.repeat(begin[group], times) + offset]], 1))
        position = np.full(graph.n_entities, np.int32(-1), np.int32)
        found = middle_edges(*adjacency, *nodes, position, *rest)
        self.nodes, self._found = nodes, found
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

    def merged(self, side: int) -> tuple[npt.NDArray[Any], ...]:
        """Layer 2 from u's side (0) or v's (1), see ``kernels.emergnn.paths.merged``."""
        graph = self.graph
        found: tuple[npt.NDArray[Any], ...] = merged(
            self._found, side == 1, self.groups[side], self._n_groups[side], self.nodes[1 - side],
            graph.degree_ptr, graph.degree_relation, graph.degree_count, graph.degree_weight,
            graph.n_relations, False, np.empty(0),
        )  # fmt: skip
        return found

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


class Gone(NamedTuple):
    """Which rows of first, middle and last are deleted."""

    first: npt.NDArray[np.bool_]
    middle: npt.NDArray[np.bool_]
    last: npt.NDArray[np.bool_]

    def turned(self) -> Gone:
        """The same rows in the direction from v to u."""
        return Gone(self.last, self.middle, self.first)


class WalkedFlow:
    """Both flows of a pair in float64: their logit, every walk's part of it, and deletions.

    Attributes
    ----------
    logit : float
        What both flows add to the explained type's logit.
    """

    def __init__(self, paths: PathDigraph, weights: FlowWeights) -> None:
        self._sides = [_Direction(paths, weights, side) for side in (0, 1)]
        self.logit = sum(side.logit for side in self._sides)

    def attributions(self, walks: IntArray) -> FloatArray:
        """Every walk's part of the logit, (n_walks,), of rows of first, middle and last."""
        forth, back = self._sides
        return forth.attributions(walks) + back.attributions(np.ascontiguousarray(walks[:, ::-1]))

    def without(self, gone: Gone) -> float:
        """The logit when edges are deleted: only what they touch is computed again."""
        forth, back = self._sides
        return forth.without(gone) + back.without(gone.turned())


class _Direction:
    """One direction: what it makes of every edge, kept to be changed a little."""

    def __init__(self, paths: PathDigraph, weights: FlowWeights, side: int) -> None:
        forth = (paths.first, paths.middle, paths.last)
        edges: tuple[IntArray, IntArray, IntArray] = forth if side == 0 else paths.turned()
        self.first, self.middle, self.last = edges
        self.weights, self.side = weights, side
        rows = paths.nodes[1 - side]
        rho, w, d = weights.rho, weights.w, weights.rho.shape[2]
        self.bias = np.zeros((3, d)) if weights.b is None else weights.b
        self.constant = np.maximum(self.bias[0], 0)
        self.factor = paths.factors(rows[self.middle[:, 2]], self.middle[:, 1])
        to = paths.v if side == 0 else paths.u
        # edges of the ends lie sorted by node, at least one for each
        start = np.flatnonzero(np.diff(self.first[:, 0], prepend=-1))
        self.sent = _summed(rho[0][self.first[:, 1]], start, d)
        self.state1, self.excess = self._layer1(self.sent)
        ptr, column, weight, state, kind = paths.merged(side)
        source = np.zeros(len(start), np.int64)
        source[paths.groups[side]] = np.arange(len(start))  # one node of each signature
        message = rho[1][kind] * self.excess[source[state]]
        shape = (len(rows), len(state))
        self.z2 = np.asarray(csr_matrix((weight, column, ptr), shape=shape) @ message)
        if weights.b is not None:
            self.z2 += _background(paths.graph, rows, rho[1]) * self.constant
        self.state2 = np.maximum(self.z2 @ w[1].T + self.bias[1], 0)
        into = paths.factors(to, self.last[:, 1])
        self.into = rho[2][self.last[:, 1]] * into[:, None]
        self.reach = _summed(self.into, np.flatnonzero(np.diff(self.last[:, 0], prepend=-1)), d)
        self.z3 = (self.reach * self.state2).sum(0)
        self.logit, self.slope = self._read(self.z3)

    def _layer1(self, sent: FloatArray) -> tuple[FloatArray, FloatArray]:
        state = (sent * self.weights.f[self.side]) @ self.weights.w[0].T + self.bias[0]
        return state, np.maximum(state, 0) - self.constant

    def _read(self, z3: FloatArray) -> tuple[float, FloatArray]:
        """The logit, and its slope by the receiving drug's state before its ReLU."""
        h = np.maximum(z3 @ self.weights.w[2].T + self.bias[2], 0)
        value = np.log1p(h) if self.weights.log_states else h
        read = self.weights.read[self.side]
        slope = np.divide(value, h, out=np.zeros(len(h)), where=h > 0)
        return float(read @ value), read * slope

    def attributions(self, walks: IntArray) -> FloatArray:
        """Every walk's part; ``walks`` as rows of this direction's edges."""
        rho, w = self.weights.rho, self.weights.w
        back3 = self.slope @ w[2]
        back = ((self.state2 > 0)[self.last[:, 0]] * self.into * back3) @ w[1]
        sent = rho[0][self.first[:, 1]] * self.weights.f[self.side]
        ahead = (self.state1 > 0)[self.first[:, 0]] * (sent @ w[0].T)
        kind = np.ascontiguousarray(self.middle[:, 1])
        found: FloatArray = walk_shares(walks, kind, self.factor, ahead, rho[1], back)
        return found

    def without(self, gone: Gone) -> float:
        """The logit without some of this direction's edges."""
        rho, w = self.weights.rho, self.weights.w
        lost = self.first[gone.first]
        start = np.flatnonzero(np.diff(lost[:, 0], prepend=-1))
        source = lost[start, 0]
        sent = self.sent[source] - _summed(rho[0][lost[:, 1]], start, rho.shape[2])
        changed = np.zeros(len(self.excess), bool)
        changed[source] = True
        less = np.zeros((len(self.excess), len(self.constant)))
        less[source] = self._layer1(sent)[1] - self.excess[source]
        # kept edges from changed nodes send something else, deleted ones nothing
        other = np.flatnonzero(changed[self.middle[:, 0]] & ~gone.middle)
        none = np.flatnonzero(gone.middle)
        x = self.middle[:, 0]
        what = np.concatenate([less[x[other]], -self.excess[x[none]] - self.constant])
        edge = np.concatenate([other, none])
        row, of = np.unique(self.middle[edge, 2], return_inverse=True)
        z2 = self.z2[row]
        np.add.at(z2, of.ravel(), rho[1][self.middle[edge, 1]] * self.factor[edge, None] * what)
        state2 = np.maximum(z2 @ w[1].T + self.bias[1], 0)
        z3 = self.z3 + (self.reach[row] * (state2 - self.state2[row])).sum(0)
        if gone.last.any():
            now = self.state2.copy()
            now[row] = state2
            z3 -= (self.into[gone.last] * now[self.last[gone.last, 0]]).sum(0)
        return self._read(z3)[0]


def flow_logit(paths: PathDigraph, weights: FlowWeights) -> tuple[float, FloatArray]:
    """The flows' part of the logit, and every walk's part of it, (n_walks,)."""
    flow = WalkedFlow(paths, weights)
    return flow.logit, flow.attributions(paths.walks())


def _summed(values: FloatArray, start: IntArray, dim: int) -> FloatArray:
    """Sums of the consecutive rows that begin at ``start``, (len(start), dim)."""
    if not len(start):
        return np.zeros((0, dim))
    return np.asarray(np.add.reduceat(values, start, axis=0))


def _background(graph: ActiveGraph, rows: npt.NDArray[np.int32], rho: FloatArray) -> FloatArray:
    """Σ_r D[x, r] ω ρ²_r of every row."""
    out = np.zeros((len(rows), rho.shape[1]))
    for i, x in enumerate(rows.tolist()):
        span = slice(graph.degree_ptr[x], graph.degree_ptr[x + 1])
        weight = graph.degree_count[span] * graph.degree_weight[span]
        out[i] = weight @ rho[graph.degree_relation[span]]
    return out
