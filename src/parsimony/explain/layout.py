"""The layered sub-digraph of an explanation, pruned and laid out in columns for drawing.

An entity may appear in several columns. A model may also idle, that is, stay at an entity for a
layer. Idle moves are not evidence: they are contracted, and drawn (dotted) only where one path ends
at the answer while another continues from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, log

from parsimony.explain.parts import EvidenceEdge, ExplanationData, Step

__all__ = ["DrawnEdge", "DrawnNode", "LayeredGraph", "layered_graph"]

Place = tuple[int, str]  # layer, entity
Arc = tuple[Place, Place, EvidenceEdge]
Spot = tuple[int, float]  # column, row
_FLOOR = 1e-30  # an edge with attention exactly 0 still connects its ends
_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """An entity in a column: ``row`` is centred on 0, and the rows of a column are 1 apart."""

    id: str
    name: str
    label: str
    column: int
    row: float
    role: str  # head (where the paths start, whichever side was asked for), answer or other


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge between two nodes, in path direction; an idle edge has no relation.

    ``paths`` are the indices of the explanation's paths that contain its fact; ``via`` are the
    (column, row) points that an edge over several columns passes, so that it crosses no name.
    """

    source: str
    target: str
    relation: str
    label: str
    inverse: bool
    idle: bool
    attention: float
    paths: tuple[int, ...]
    fact: tuple[str, str, str]
    via: tuple[Spot, ...] = ()


@dataclass(frozen=True, slots=True)
class LayeredGraph:
    """Nodes and edges to draw; ``n_edges`` evidence edges before pruning, ``n_shown`` after.

    One drawn edge may stand for the same fact in several layers.
    """

    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
    n_columns: int
    n_edges: int
    n_shown: int

    @property
    def caption(self) -> str:
        """A sentence on how much of the evidence is drawn."""
        if not self.n_edges:
            return "No evidence edges."
        if self.n_edges == self.n_shown:
            return (
                "One evidence edge." if self.n_edges == 1 else f"All {self.n_edges} evidence edges."
            )
        return (
            f"{self.n_shown:,} of {self.n_edges:,} evidence edges: those of the named paths, "
            "then the strongest."
        )

    def share(self, edge: DrawnEdge) -> float:
        """Return an edge's attention relative to the strongest, in [0, 1].

        A non-finite attention counts as 0: JSON and drawings cannot represent it.
        """
        strongest = max((e.attention for e in self.edges if isfinite(e.attention)), default=0.0)
        known = isfinite(edge.attention) and strongest > 0
        return max(edge.attention, 0.0) / strongest if known else 0.0


def layered_graph(explanation: ExplanationData, *, limit: int = 30) -> LayeredGraph:
    """Prune the sub-digraph to named paths and strongest edges, and lay it out.

    An edge is as strong as the best route to the answer through it (product of attentions),
    so that the edges kept are connected; edges on no route are dropped first.

    Parameters
    ----------
    explanation : Explanation or ExplanationData
        Without a sub-digraph, its paths are drawn, each with its own weight.
    limit : int
        Maximum number of evidence edges; the first path is always drawn completely.
    """
    first, answer = explanation.ends
    evidence = explanation.subgraph or _of_paths(explanation)
    last = max((edge.layer for edge in evidence), default=1)
    start, goal = (0, first), (last, answer)
    walked = _walked(explanation, evidence, limit)
    kept = _kept(evidence, walked, start, goal, limit)
    merged, idle = _contracted(kept, start, goal)
    arcs: dict[tuple[Place, Place, str, bool], list[EvidenceEdge]] = {}
    for edge in kept:
        a, b, _ = _arc(edge)
        key = (merged[a], merged[b], edge.relation, edge.direction == "inverse")
        arcs.setdefault(key, []).append(edge)
    ends = set(merged.values())
    columns = {layer: i for i, layer in enumerate(sorted({layer for layer, _ in ends}))}
    spots, chains = _ordered(ends, [key[:2] for key in arcs] + idle, columns)
    ids = {place: f"n{i}" for i, place in enumerate(place for place in spots if place in ends)}
    roles = {merged[goal]: "answer", merged[start]: "head"}
    nodes = tuple(
        DrawnNode(ids[p], p[1], explanation.label(p[1]), *spots[p], roles.get(p, "other"))
        for p in ids
    )
    edges = [
        DrawnEdge(
            ids[a],
            ids[b],
            relation,
            explanation.label(relation),
            inverse,
            False,
            max(edge.attention for edge in same),
            tuple(sorted({i for edge in same for i in walked.get(edge, ())})),
            (same[0].head, relation, same[0].tail),
            chains[a, b],
        )
        for (a, b, relation, inverse), same in arcs.items()
    ]
    edges += [
        DrawnEdge(ids[a], ids[b], "", "", False, True, 0.0, (), (a[1], "", b[1]), chains[a, b])
        for a, b in idle
    ]
    return LayeredGraph(nodes, tuple(edges), len(columns), len(evidence), len(kept))


def _of_paths(explanation: ExplanationData) -> tuple[EvidenceEdge, ...]:
    """Return the edges of the paths, for an explanation without a sub-digraph."""
    edges: dict[tuple[int, str, str, str, str], EvidenceEdge] = {}
    for path in explanation.paths:
        for layer, s in enumerate(path.steps, start=1):
            edge = EvidenceEdge(layer, s.head, s.relation, s.tail, s.direction, path.weight)
            edges.setdefault((layer, s.head, s.relation, s.tail, s.direction), edge)
    return tuple(edges.values())


def _arc(edge: EvidenceEdge) -> Arc:
    """Return the places that an edge connects, in path direction."""
    return (edge.layer - 1, edge.step.source), (edge.layer, edge.step.target), edge


def _walked(
    explanation: ExplanationData, evidence: Sequence[EvidenceEdge], limit: int
) -> dict[EvidenceEdge, list[int]]:
    """Find every path among the edges; its layers may have gaps where the model idles.

    Among several embeddings of a path, the one with the largest product of attentions is taken.
    Paths that would exceed the limit are left out, except the first one.
    """
    at: dict[Step, list[EvidenceEdge]] = {}
    for edge in sorted(evidence, key=lambda edge: edge.layer):
        at.setdefault(edge.step, []).append(edge)
    walked: dict[EvidenceEdge, list[int]] = {}
    for i, path in enumerate(explanation.paths):
        best: dict[int, tuple[float, tuple[EvidenceEdge, ...]]] = {0: (0.0, ())}
        for step in path.steps:
            onward = {}
            for edge in at.get(step, ()):
                before = [best[layer] for layer in best if layer < edge.layer]
                if before:
                    weight, chain = max(before, key=lambda option: option[0])
                    onward[edge.layer] = (weight + _log(edge), (*chain, edge))
            best = onward
        route = max(best.values(), key=lambda option: option[0])[1] if best else ()
        if not walked or len(walked.keys() | set(route)) <= limit:
            for edge in route:
                walked.setdefault(edge, []).append(i)
    return walked


def _idling(places: Iterable[Place]) -> list[tuple[Place, Place]]:
    """Connect consecutive appearances of each entity."""
    layers: dict[str, list[int]] = {}
    for layer, name in sorted(places):
        layers.setdefault(name, []).append(layer)
    return [((i, name), (j, name)) for name, at in layers.items() for i, j in pairwise(at)]


def _log(edge: EvidenceEdge) -> float:
    return log(max(edge.attention, _FLOOR))


def _strengths(evidence: Sequence[EvidenceEdge], start: Place, goal: Place) -> list[float]:
    """Return the log weight of the best route through each edge, or -inf if there is none."""
    real = [_arc(edge) for edge in evidence]
    places = {place for a, b, _ in real for place in (a, b)} | {start, goal}
    arcs = [(a, b, _log(edge)) for a, b, edge in real]
    arcs += [(a, b, 0.0) for a, b in _idling(places)]
    into, onward = dict.fromkeys(places, -inf), dict.fromkeys(places, -inf)
    into[start] = onward[goal] = 0.0
    # Arcs only lead to later layers: sorted by place, each is visited once.
    for a, b, weight in sorted(arcs, key=lambda arc: arc[0]):
        into[b] = max(into[b], into[a] + weight)
    for a, b, weight in sorted(arcs, key=lambda arc: arc[1], reverse=True):
        onward[a] = max(onward[a], weight + onward[b])
    return [into[a] + _log(edge) + onward[b] for a, b, edge in real]


def _kept(
    evidence: Sequence[EvidenceEdge],
    walked: Mapping[EvidenceEdge, object],
    start: Place,
    goal: Place,
    limit: int,
) -> list[EvidenceEdge]:
    """Keep the edges of the paths, then those with the best routes, and drop loose ends."""
    ranked = sorted(
        zip(_strengths(evidence, start, goal), evidence, strict=True),
        key=lambda pair: (pair[1] in walked, pair[0], pair[1].attention),
        reverse=True,
    )
    routed = [edge for strength, edge in ranked if strength > -inf or edge in walked]
    # No route connects head and answer: show the evidence as it is, not an empty picture.
    kept = (routed or [edge for _, edge in ranked])[: max(limit, len(walked), 1)]
    if routed:  # among ties, the limit may have cut a route in two
        whole = zip(_strengths(kept, start, goal), kept, strict=True)
        kept = [edge for strength, edge in whole if strength > -inf or edge in walked] or kept
    return sorted(kept, key=lambda edge: (*_arc(edge)[:2], edge.relation))


def _contracted(
    kept: Sequence[EvidenceEdge], start: Place, goal: Place
) -> tuple[dict[Place, Place], list[tuple[Place, Place]]]:
    """Merge places that differ only by idling.

    Returns
    -------
    merged, idle
        The place where each is drawn, and the idle moves that remain.
    """
    arcs = [_arc(edge) for edge in kept]
    has_out, has_in = {a for a, _, _ in arcs}, {b for _, b, _ in arcs}
    merged = {place: place for place in has_in | has_out | {start, goal}}
    idle = []
    for a, b in _idling(merged):
        if b not in has_in:  # every route leaving b arrived at a
            merged[b] = merged[a]
        elif a not in has_out:  # every route arriving at a leaves from b
            merged |= {place: b for place, drawn in merged.items() if drawn == merged[a]}
        elif b == goal:
            idle.append((a, b))
    return merged, [(merged[a], merged[b]) for a, b in idle]


def _ordered(
    places: set[Place], arcs: Sequence[tuple[Place, Place]], columns: dict[int, int]
) -> tuple[dict[Place, Spot], dict[tuple[Place, Place], tuple[Spot, ...]]]:
    """Place all names by the barycentre heuristic, sweeping over the columns back and forth.

    An arc over several columns occupies a slot in each column it passes.

    Returns
    -------
    spots, chains
        Column and row of every place, and the slots of every arc.
    """
    order: list[list[Place]] = [[] for _ in columns]
    near: dict[Place, list[Place]] = {place: [] for place in places}
    for place in sorted(places):
        order[columns[place[0]]].append(place)
    passed: dict[tuple[Place, Place], list[Place]] = {}
    for number, (a, b) in enumerate(dict.fromkeys(arcs), start=1):
        # Slots have negative layers, so that they cannot be confused with names.
        between = range(columns[a[0]] + 1, columns[b[0]])
        passed[a, b] = [(-number, str(column)) for column in between]
        for column, slot in zip(between, passed[a, b], strict=True):
            order[column].append(slot)
            near[slot] = []
        for p, q in pairwise([a, *passed[a, b], b]):
            near[p].append(q)
            near[q].append(p)
    row = {p: i - (len(rows) - 1) / 2 for rows in order for i, p in enumerate(rows)}
    for sweep in range(_SWEEPS):
        for rows in order if sweep % 2 == 0 else reversed(order):
            wish = {p: sum(row[q] for q in near[p]) / len(near[p]) if near[p] else 0 for p in rows}
            rows.sort(key=wish.__getitem__)
            row |= {p: i - (len(rows) - 1) / 2 for i, p in enumerate(rows)}
    spots = {p: (column, row[p]) for column, rows in enumerate(order) for p in rows}
    return spots, {arc: tuple(spots[slot] for slot in slots) for arc, slots in passed.items()}
