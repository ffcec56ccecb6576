"""Facts that follow from a graph's own by a book: forward chaining with the origin of every fact.

Every entry is read as path rules: ``symmetric(r)`` as r(X,Y) <- r(Y,X), ``inverse(r, s)`` as both
of its directions, ``subrelation(r, s)`` as s(X,Y) <- r(X,Y), ``transitive(r)`` as two steps of r.
Only the facts of the graph given are premises: no fact of another split is ever read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph

__all__ = ["ROUNDS", "Completion", "Inference", "complete", "complete_reference"]

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
#: how often inferred facts are premises of further ones
ROUNDS = 3
#: groundings of one entry beyond which it is left out, per fact of the graph
MOST_PER_FACT = 20


class Inference(NamedTuple):
    """``relation(X,Y)`` follows from a path of steps from X to Y; step r + R walks r backwards."""

    relation: int
    steps: tuple[int, ...]
    entry: str  # the entry of the book, as text


@dataclass(frozen=True)
class Completion:
    """A graph with what follows from it.

    Attributes
    ----------
    graph
        Its first ``n_stated`` facts are those stated, in their order.
    fact, premises, by
        Derivations: the fact (n,), its premises (n, longest), −1 behind the last, and the index
        of the inference. Stated facts that also follow from others have some too.
    left_out
        Entries with too many groundings.
    """

    graph: KnowledgeGraph
    n_stated: int
    inferences: tuple[Inference, ...]
    fact: Longs
    premises: Longs
    by: Longs
    left_out: tuple[str, ...] = ()

    @property
    def n_inferred(self) -> int:
        """How many facts were added."""
        return len(self.graph) - self.n_stated

    def entailed(self, active: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Which facts hold where only some stated ones do: those, and what follows from them.

        Parameters
        ----------
        active
            (n_facts,), of which the first ``n_stated`` count.
        """
        found = active.copy()
        found[self.n_stated :] = 0
        padded = self.premises < 0
        while True:
            holds = (padded | (found[self.premises] == 1)).all(1)
            new = self.fact[holds][found[self.fact[holds]] == 0]
            if not len(new):
                return found
            found[new] = 1

    def origin(self, head: int, relation: int, tail: int) -> tuple[str, Ints] | None:
        """The entry that gave an inferred fact and its premises (n, 3); None for a stated one."""
        at = np.flatnonzero((self.graph.triples == (head, relation, tail)).all(1))
        if not len(at) or at[0] < self.n_stated:
            return None
        first = np.flatnonzero(self.fact == at[0])[0]
        premises = self.premises[first]
        return self.inferences[self.by[first]].entry, self.graph.triples[premises[premises >= 0]]


def complete(graph: KnowledgeGraph, inferences: Sequence[Inference]) -> Completion:
    """Add what follows from a graph, in at most :data:`ROUNDS` rounds."""
    n, r = graph.n_entities, graph.n_relations
    triples = graph.triples.astype(np.int64)
    n_stated = len(triples)
    longest = max((len(each.steps) for each in inferences), default=1)
    left_out: dict[str, None] = {}
    fact, premises, by = np.empty(0, np.int64), np.empty((0, longest), np.int64), np.empty(0, int)
    keys = _key(triples, n, r)
    for _ in range(ROUNDS + 1):  # the last one only finds the derivations
        order = np.argsort(keys, kind="stable")
        found = [
            (i, *grounded)
            for i, each in enumerate(inferences)
            if (grounded := _ground(triples, n, r, each, longest, left_out)) is not None
        ]
        if left_out:  # also what it inferred before: nothing rests on an entry in part
            others = [each for each in inferences if each.entry not in left_out]
            done = complete(graph, others)
            return replace(done, left_out=(*left_out, *done.left_out))
        if not found:
            break
        concluded = np.concatenate([rows for _, rows, _ in found])
        premises = np.concatenate([walked for _, _, walked in found])
        by = np.repeat([i for i, _, _ in found], [len(rows) for _, rows, _ in found])
        wanted = _key(concluded, n, r)
        last = _ == ROUNDS
        if not last:
            new, first = np.unique(wanted, return_index=True)
            fresh = first[~np.isin(new, keys)]
            triples = np.concatenate([triples, concluded[np.sort(fresh)]])
            keys = _key(triples, n, r)
            order = np.argsort(keys, kind="stable")
            last = not len(fresh)
        at = np.searchsorted(keys[order], wanted)
        known = at < len(keys)
        known[known] = keys[order][at[known]] == wanted[known]
        fact = order[at[known]]
        premises, by = premises[known], by[known]
        own = (premises == fact[:, None]).any(1)
        fact, premises, by = fact[~own], premises[~own], by[~own]
        if last:
            break
    whole = KnowledgeGraph(triples, n, r, graph.entities, graph.relations)
    return Completion(whole, n_stated, tuple(inferences), fact, premises, by)


def _key(triples: npt.NDArray[np.integer], n: int, r: int) -> Longs:
    head, relation, tail = triples.astype(np.int64).T
    found: Longs = (head * r + relation) * n + tail
    return found


def _ground(
    triples: Longs, n: int, r: int, inference: Inference, longest: int, left_out: dict[str, None]
) -> tuple[Longs, Longs] | None:
    """What one inference concludes (k, 3), and its premises (k, longest)."""
    start = here = None
    walked: list[Longs] = []
    for step in inference.steps:
        of = np.flatnonzero(triples[:, 1] == step % r)
        source, target = (triples[of, 0], triples[of, 2])[:: 1 if step < r else -1]
        if here is None or start is None:
            start, here, walked = source, target, [of]
            continue
        order = np.argsort(source, kind="stable")
        low = np.searchsorted(source[order], here, "left")
        count = np.searchsorted(source[order], here, "right") - low
        if count.sum() > MOST_PER_FACT * max(len(triples), 1000):
            left_out[inference.entry] = None
            return None
        ptr = np.concatenate([[0], np.cumsum(count)])
        index = order[np.arange(ptr[-1]) - np.repeat(ptr[:-1] - low, count)]
        start, walked = np.repeat(start, count), [np.repeat(w, count) for w in walked]
        here, walked = target[index], [*walked, of[index]]
    assert start is not None and here is not None  # a body has at least one step
    if not len(start):
        return None
    premises = np.full((len(start), longest), -1, np.int64)
    premises[:, : len(walked)] = np.stack(walked, 1)
    head = np.full(len(start), inference.relation, np.int64)
    return np.stack([start, head, here], 1), premises


def complete_reference(
    facts: set[tuple[int, int, int]], n_relations: int, inferences: Sequence[Inference]
) -> set[tuple[int, int, int]]:
    """The same facts by plain loops; for tests."""
    found = set(facts)
    for _ in range(ROUNDS):
        new: set[tuple[int, int, int]] = set()
        for each in inferences:
            pairs = {(x, x) for h, _, t in found for x in (h, t)}
            for step in each.steps:
                edges = [
                    (h, t) if step < n_relations else (t, h)
                    for h, relation, t in found
                    if relation == step % n_relations
                ]
                pairs = {(x, t) for x, y in pairs for h, t in edges if y == h}
            new |= {(x, each.relation, y) for x, y in pairs}
        if new <= found:
            break
        found |= new
    return found
