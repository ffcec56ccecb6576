"""The layered sub-digraph of an explanation as a drawing needs it: pruned, laid out in columns.

An entity may stand in several columns. A model may also idle, that is stay at an entity for a
layer; such moves are not evidence, so they are drawn (dotted) only where a route needs one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log

from parsimony.knowledge.explanation import EvidenceEdge, Explanation, Step

__all__ = ["DrawnEdge", "DrawnNode", "LayeredGraph", "layered_graph"]

Place = tuple[int, str]  # layer, entity
Arc = tuple[Place, Place, EvidenceEdge]
Spot = tuple[int, float]  # column, row
_FLOOR = 1e-30  # an attention of exactly 0 still joins its ends
_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """An entity in a column: ``row`` is centred on 0, rows of one column are 1 apart."""

    id: str
    name: str
    label: str
    column: int
    row: float
    role: str  # head, answer or other


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge between two nodes, in walking order; an idle one has no relation.

    ``paths`` are the positions of the explanation's paths that walk its fact; ``via`` are the
    (column, row) that an edge over several columns passes, so that it crosses no name.
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
    """Nodes and edges to draw; ``n_edges`` is the number before pruning."""

    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
    n_columns: int
    n_edges: int

    @property
    def n_shown(self) -> int:
        """Evidence edges drawn."""
        return sum(not edge.idle for edge in self.edges)

    @property
    def caption(self) -> str:
        """How much of the evidence is drawn, in one sentence."""
        edges = "edge" if self.n_edges == 1 else "edges"
        if self.n_edges == self.n_shown == 1:
            return "The only evidence edge."
        if self.n_shown == self.n_edges:
            return f"All {self.n_edges:,} evidence {edges}."
        return f"The strongest {self.n_shown:,} of {self.n_edges:,} evidence {edges}."


def layered_graph(explanation: Explanation, *, limit: int = 40) -> LayeredGraph:
    """Prune the sub-digraph to its strongest edges and lay it out.

    An edge is as strong as the best route from head to answer through it (product of attentions),
    so that what is kept hangs together; edges on no route go first.

    Parameters
    ----------
    explanation : Explanation
        Without a sub-digraph, its paths are drawn, each with its own weight.
    limit : int
        Most evidence edges drawn.
    """
    head, _, tail = explanation.query
    evidence = explanation.subgraph or _of_paths(explanation)
    last = max((edge.layer for edge in evidence), default=1)
    placed = _placed(evidence, head, tail, last)
    kept = _strongest(placed, (0, head), (last, tail), max(limit, 1))
    ends = {place for a, b, _ in kept for place in (a, b)} | {(0, head), (last, tail)}
    idle = _needed_idling(kept, ends, (0, head), (last, tail))
    columns = {layer: i for i, layer in enumerate(sorted({layer for layer, _ in ends}))}
    spots, chains = _ordered(ends, [(a, b) for a, b, _ in kept] + idle, columns)
    ids = {place: f"n{i}" for i, place in enumerate(place for place in spots if place in ends)}
    roles = {(0, head): "head", (last, tail): "answer"}
    nodes = tuple(
        DrawnNode(ids[p], p[1], explanation.label(p[1]), *spots[p], roles.get(p, "other"))
        for p in ids
    )
    walked: dict[Step, list[int]] = {}
    for i, path in enumerate(explanation.paths):
        for step in dict.fromkeys(path.steps):
            walked.setdefault(step, []).append(i)
    edges = [
        DrawnEdge(
            ids[a],
            ids[b],
            edge.relation,
            explanation.label(edge.relation),
            edge.direction == "inverse",
            False,
            edge.attention,
            tuple(walked.get(edge.step, ())),
            (edge.head, edge.relation, edge.tail),
            chains[a, b],
        )
        for a, b, edge in kept
    ]
    edges += [
        DrawnEdge(ids[a], ids[b], "", "", False, True, 0.0, (), (a[1], "", b[1]), chains[a, b])
        for a, b in idle
    ]
    return LayeredGraph(nodes, tuple(edges), len(columns), len(evidence))


def _of_paths(explanation: Explanation) -> tuple[EvidenceEdge, ...]:
    """Return the paths' own edges, for an explanation that names no sub-digraph."""
    edges: dict[tuple[int, str, str, str, str], EvidenceEdge] = {}
    for path in explanation.paths:
        for layer, s in enumerate(path.steps, start=1):
            edge = EvidenceEdge(layer, s.head, s.relation, s.tail, s.direction, path.weight)
            edges.setdefault((layer, s.head, s.relation, s.tail, s.direction), edge)
    return tuple(edges.values())


def _placed(evidence: Sequence[EvidenceEdge], head: str, tail: str, last: int) -> list[Arc]:
    """Put edges between places; a walk that starts late or ends early touches head and answer."""
    entered = {(edge.layer, edge.step.target) for edge in evidence}
    left = {(edge.layer - 1, edge.step.source) for edge in evidence}
    placed = []
    for edge in evidence:
        a, b = (edge.layer - 1, edge.step.source), (edge.layer, edge.step.target)
        if a[1] == head and a not in entered:
            a = (0, head)
        if b[1] == tail and b not in left:
            b = (last, tail)
        placed.append((a, b, edge))
    return placed


def _idling(places: Iterable[Place]) -> list[tuple[Place, Place]]:
    """Join the consecutive appearances of each entity."""
    layers: dict[str, list[int]] = {}
    for layer, name in sorted(places):
        layers.setdefault(name, []).append(layer)
    return [((i, name), (j, name)) for name, at in layers.items() for i, j in pairwise(at)]


def _strengths(placed: Sequence[Arc], start: Place, goal: Place) -> list[float]:
    """Return the log weight of the best route through each arc, -inf where there is none."""
    places = {place for a, b, _ in placed for place in (a, b)} | {start, goal}
    weights = [log(max(edge.attention, _FLOOR)) for _, _, edge in placed]
    arcs = [(a, b, weight) for (a, b, _), weight in zip(placed, weights, strict=True)]
    arcs += [(a, b, 0.0) for a, b in _idling(places)]
    into, onward = dict.fromkeys(places, -inf), dict.fromkeys(places, -inf)
    into[start] = onward[goal] = 0.0
    # Arcs only lead to later layers: sorted by place, each is looked at once.
    for a, b, weight in sorted(arcs, key=lambda arc: arc[0]):
        into[b] = max(into[b], into[a] + weight)
    for a, b, weight in sorted(arcs, key=lambda arc: arc[1], reverse=True):
        onward[a] = max(onward[a], weight + onward[b])
    return [into[a] + weight + onward[b] for (a, b, _), weight in zip(placed, weights, strict=True)]


def _strongest(placed: Sequence[Arc], start: Place, goal: Place, limit: int) -> list[Arc]:
    """Keep the arcs with the best routes through them, and no loose ends."""
    ranked = sorted(
        zip(_strengths(placed, start, goal), placed, strict=True),
        key=lambda pair: (pair[0], pair[1][2].attention),
        reverse=True,
    )
    routed = [arc for strength, arc in ranked if strength > -inf]
    # Nothing joins head and answer: show the evidence as it is rather than an empty picture.
    kept = (routed or [arc for _, arc in ranked])[:limit]
    if routed:  # among equals the limit may have cut a route in two
        whole = _strengths(kept, start, goal)
        joined = [arc for arc, strength in zip(kept, whole, strict=True) if strength > -inf]
        kept = joined or kept
    return sorted(kept, key=lambda arc: (arc[0], arc[1], arc[2].relation))


def _needed_idling(
    kept: list[Arc], ends: set[Place], start: Place, goal: Place
) -> list[tuple[Place, Place]]:
    """Return the idle moves without which a place would have no way in or no way on."""
    has_in = {b for _, b, _ in kept} | {start}
    has_out = {a for a, _, _ in kept} | {goal}
    return [(a, b) for a, b in _idling(ends) if a not in has_out or b not in has_in or b == goal]


def _ordered(
    places: set[Place], arcs: Sequence[tuple[Place, Place]], columns: dict[int, int]
) -> tuple[dict[Place, Spot], dict[tuple[Place, Place], tuple[Spot, ...]]]:
    """Place all names, ordering columns by the mean position of neighbours, sweeping to and fro.

    An arc over several columns takes a slot in each that it passes.

    Returns
    -------
    spots, chains
        Column and row of every place, and the slots that every arc passes.
    """
    order: list[list[Place]] = [[] for _ in columns]
    near: dict[Place, list[Place]] = {place: [] for place in places}
    for place in sorted(places):
        order[columns[place[0]]].append(place)
    passed: dict[tuple[Place, Place], list[Place]] = {}
    for number, (a, b) in enumerate(dict.fromkeys(arcs), start=1):
        # Slots have negative layers: no name can be mistaken for one.
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
