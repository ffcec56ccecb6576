"""Kinds of walks: what a sequence of typed steps leads to, and which facts lie on it.

A step is a relation id, ``r`` from head to tail and ``r + R`` from tail to head. Walks are counted
with their multiplicity; each step costs one look at all facts, whatever the number of walks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from parsimony.errors import FormatError
from parsimony.explain.parts import Step
from parsimony.graph import KnowledgeGraph
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["as_steps", "facts_between", "kind_of", "kind_text", "reversed_kind", "walk_counts"]

Floats = npt.NDArray[np.float64]
Kind = tuple[tuple[str, str], ...]


def kind_of(steps: Sequence[Step]) -> Kind:
    """The relations and directions of a path."""
    return tuple((step.relation, step.direction) for step in steps)


def kind_text(kind: Kind) -> str:
    """A kind in words: ``brother → father⁻¹``."""
    return " → ".join(name + "⁻¹" * (way == "inverse") for name, way in kind)


def reversed_kind(kind: Kind) -> Kind:
    """The same walks from their end to their beginning."""
    turned = {"forward": "inverse", "inverse": "forward"}
    return tuple((name, turned[way]) for name, way in reversed(kind))


def as_steps(kind: Sequence[tuple[str, str]], relations: Vocabulary) -> list[int]:
    """Ids of steps by names.

    Raises
    ------
    UnknownRelation
        With the nearest name.
    FormatError
        A direction that is none.
    """
    steps = []
    for name, way in kind:
        if way not in ("forward", "inverse"):
            raise FormatError(f"no direction {way!r}", remedy="forward or inverse")
        steps.append(relations.index(name) + len(relations) * (way == "inverse"))
    return steps


def _moves(graph: KnowledgeGraph, step: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Rows of the facts of a step, where each starts and where it leads."""
    n = graph.n_relations
    rows = np.flatnonzero(graph.triples[:, 1] == step % n)
    head, tail = graph.triples[rows, 0], graph.triples[rows, 2]
    return (rows, tail, head) if step >= n else (rows, head, tail)


def _onward(graph: KnowledgeGraph, count: Floats, step: int) -> Floats:
    _, source, target = _moves(graph, step)
    found: Floats = np.bincount(target, count[source], graph.n_entities).astype(np.float64)
    return found


def _start(graph: KnowledgeGraph, entity: int) -> Floats:
    count = np.zeros(graph.n_entities)
    count[entity] = 1.0
    return count


def walk_counts(graph: KnowledgeGraph, entity: int, steps: Sequence[int]) -> Floats:
    """How many walks of some steps lead from an entity to each one, (n_entities,)."""
    count = _start(graph, entity)
    for step in steps:
        count = _onward(graph, count, step)
    return count


def facts_between(
    graph: KnowledgeGraph, entity: int, steps: Sequence[int], answer: int
) -> npt.NDArray[np.int32]:
    """The facts on all walks of some steps from an entity to an answer, (n, 3), each once."""
    n = graph.n_relations
    forward = [_start(graph, entity)]
    for step in steps[:-1]:
        forward.append(_onward(graph, forward[-1], step))
    backward = _start(graph, answer)
    used = np.zeros(len(graph), bool)
    for step, before in zip(reversed(steps), reversed(forward), strict=True):
        rows, source, target = _moves(graph, step)
        used[rows[(before[source] > 0) & (backward[target] > 0)]] = True
        backward = _onward(graph, backward, step + n if step < n else step - n)
    found: npt.NDArray[np.int32] = np.unique(graph.triples[used], axis=0).reshape(-1, 3)
    return found
