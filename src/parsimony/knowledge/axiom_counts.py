"""How often axioms hold among facts, which axioms the facts suggest, and what breaks a stated one.

What is counted for each kind is said in :mod:`parsimony.knowledge.axioms`. Facts count once; loops
are no evidence for symmetric, transitive and inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.rule_counts import relation_names

__all__ = ["AxiomCounter", "mine_axioms"]

Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_WALKS = 2e8  # two-step walks of a relation up to which transitivity is counted when mining
_MOST_TYPES = 500  # types among which disjoint ones are looked for


class AxiomCounter:
    """Counts axioms on a graph.

    Parameters
    ----------
    graph : KnowledgeGraph
    types : mapping of str to iterable of str, optional
        Entity → its types; entities that the graph does not have are ignored.
    """

    def __init__(
        self, graph: KnowledgeGraph, types: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self.graph, self.names = graph, relation_names(graph)
        self.ids = {name: i for i, name in enumerate(self.names)}
        facts = np.unique(graph.triples.astype(np.int64), axis=0)
        order = np.argsort(facts[:, 1], kind="stable")
        self._facts = facts[order]
        self._ptr = np.searchsorted(self._facts[:, 1], np.arange(graph.n_relations + 1))
        members: dict[str, list[int]] = {}
        for i, entity in enumerate(self._entities()):
            for name in (types or {}).get(entity, ()):
                members.setdefault(name, []).append(i)
        self.members = {name: self._mask(ids) for name, ids in members.items()}
        self.typed = self._mask([]) if not members else np.any(list(self.members.values()), axis=0)

    def _entities(self) -> Sequence[str]:
        vocabulary = self.graph.entities
        return () if vocabulary is None else vocabulary.names

    def _mask(self, ids: list[int]) -> Bools:
        mask = np.zeros(self.graph.n_entities, bool)
        mask[ids] = True
        return mask

    def pairs(self, relation: str) -> Longs:
        """The distinct (head, tail) of a relation, (n, 2), sorted."""
        r = self.ids[relation]
        pairs: Longs = self._facts[self._ptr[r] : self._ptr[r + 1]][:, [0, 2]]
        return pairs

    def known(self, axiom: Axiom) -> bool:
        """Whether the graph has all relations of an axiom, and some entity of its types."""
        return all(r in self.ids for r in axiom.relations) and all(
            t in self.members for t in axiom.types
        )

    def count(self, axiom: Axiom) -> Axiom:
        """Return the axiom with its evidence here; 0 of 0 where it is not :meth:`known`."""
        if not self.known(axiom):
            return axiom.with_counts(0, 0)
        holds = self._holds(axiom)[1]
        return axiom.with_counts(int(holds.sum()), len(holds))

    def exceptions(self, axiom: Axiom) -> Longs:
        """What breaks an axiom: pairs (head, tail) of entities, or (entity, -1), (n, 2)."""
        if not self.known(axiom):
            return np.zeros((0, 2), np.int64)
        what, holds = self._holds(axiom)
        return what[~holds]

    def _holds(self, axiom: Axiom) -> tuple[Longs, Bools]:
        """Everything that an axiom is about, (n, 2), and whether it holds there, (n,)."""
        terms = axiom.terms
        match axiom.kind:
            case "symmetric":
                return self._inverse(terms[0], terms[0])
            case "inverse":
                parts = [self._inverse(terms[0], terms[1])]
                if terms[0] != terms[1]:
                    parts.append(self._inverse(terms[1], terms[0]))
                return np.concatenate([p for p, _ in parts]), np.concatenate([h for _, h in parts])
            case "subrelation":
                pairs = self.pairs(terms[0])
                return pairs, np.isin(self._keys(pairs), self._keys(self.pairs(terms[1])))
            case "transitive":
                pairs = self._two_steps(terms[0])
                return pairs, np.isin(self._keys(pairs), self._keys(self.pairs(terms[0])))
            case "functional" | "inverse_functional":
                column = 0 if axiom.kind == "functional" else 1
                entity, count = np.unique(self.pairs(terms[0])[:, column], return_counts=True)
                return np.stack([entity, np.full_like(entity, -1)], axis=1), count == 1
            case "domain" | "range":
                pairs = self.pairs(terms[0])
                end = pairs[:, 0 if axiom.kind == "domain" else 1]
                pairs, end = pairs[self.typed[end]], end[self.typed[end]]
                return pairs, self.members[terms[1]][end]
            case _:  # disjoint
                first, second = (self.members[t] for t in terms)
                entity = np.flatnonzero(first | second)
                both = (first & second)[entity]
                return np.stack([entity, np.full_like(entity, -1)], axis=1), ~both

    def _keys(self, pairs: Longs) -> Longs:
        keys: Longs = pairs[:, 0] * self.graph.n_entities + pairs[:, 1]
        return keys

    def _inverse(self, relation: str, other: str) -> tuple[Longs, Bools]:
        pairs = self.pairs(relation)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        return pairs, np.isin(self._keys(pairs[:, ::-1]), self._keys(self.pairs(other)))

    def _matrix(self, relation: str) -> sparse.csr_array:
        pairs, n = self.pairs(relation), self.graph.n_entities
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        return sparse.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (n, n))

    def walks(self, relation: str) -> float:
        """The number of walks of two steps along a relation."""
        step = self._matrix(relation)
        return float(step.sum(axis=0) @ step.sum(axis=1))

    def _two_steps(self, relation: str) -> Longs:
        step = self._matrix(relation)
        joined = (step @ step).tocoo()
        pairs = np.stack([joined.coords[0], joined.coords[1]], axis=1).astype(np.int64)
        joined_pairs: Longs = pairs[pairs[:, 0] != pairs[:, 1]]
        return joined_pairs


def mine_axioms(
    counter: AxiomCounter,
    *,
    min_support: int = 10,
    min_confidence: float = 0.95,
    relation: str | None = None,
    stop: Callable[[], bool] = bool,
    notes: list[str] | None = None,
) -> list[Axiom]:
    """Return the axioms that the facts suggest, with their evidence; candidates, not truths.

    Parameters
    ----------
    min_support : int
        How often an axiom has to hold at least.
    min_confidence : float
        Of how often it could, in [0, 1].
    relation : str, optional
        Only axioms about this relation.
    stop : callable
        Asked before every candidate: whether to leave the others out.
    notes : list of str, optional
        What was left out is appended.
    """
    found, dense = [], 0
    for axiom in _candidates(counter, min_support, stop):
        if stop():
            break
        if relation is not None and relation not in axiom.relations:
            continue
        if axiom.kind == "transitive" and counter.walks(axiom.terms[0]) > _WALKS:
            dense += 1
            continue
        counted = counter.count(axiom)
        if counted.support >= min_support and counted.confidence >= min_confidence:
            found.append(counted)
    if dense and notes is not None:
        notes.append(
            f"{dense:,} relations have too many walks of two steps to count whether they are "
            "transitive"
        )
    if notes is not None and stop():
        notes.append("warning: the time ended while axioms were looked for: some may be missing")
    return sorted(found, key=lambda a: (a.kind, -a.support, a.terms))


def _candidates(counter: AxiomCounter, least: int, stop: Callable[[], bool]) -> Iterator[Axiom]:
    names = [r for r in counter.names if len(counter.pairs(r)) >= least]
    for r in names:
        yield Axiom("symmetric", (r,))
        yield Axiom("transitive", (r,))
        yield Axiom("functional", (r,))
        yield Axiom("inverse_functional", (r,))
    for r, s in _overlapping(counter, names, least, reverse=False):
        if r != s:
            yield Axiom("subrelation", (r, s))
    for r, s in _overlapping(counter, names, least, reverse=True):
        if r < s:
            yield Axiom("inverse", (r, s))
    for kind, column in (("domain", 0), ("range", 1)):
        for r in names:
            if stop():  # every type is compared
                return
            end = counter.pairs(r)[:, column]
            for name, members in counter.members.items():
                if members[end].sum() >= least:
                    yield Axiom(kind, (r, name))
    types = sorted(counter.members)[:_MOST_TYPES]
    for i, first in enumerate(types):
        for second in types[i + 1 :]:
            if not (counter.members[first] & counter.members[second]).any():
                yield Axiom("disjoint", (first, second))


def _overlapping(
    counter: AxiomCounter, names: list[str], least: int, *, reverse: bool
) -> list[tuple[str, str]]:
    """Pairs of relations (r, s) with ``least`` pairs of r that are, or reversed are, pairs of s."""
    rows = np.concatenate(
        [np.full(len(counter.pairs(r)), i) for i, r in enumerate(names)] or [np.zeros(0, int)]
    )
    pairs = np.concatenate([counter.pairs(r) for r in names] or [np.zeros((0, 2), np.int64)])
    n = counter.graph.n_entities
    key, back = pairs[:, 0] * n + pairs[:, 1], pairs[:, 1] * n + pairs[:, 0]
    _, of = np.unique(np.concatenate([key, back]), return_inverse=True)
    shape = (len(names), int(of.max(initial=-1)) + 1)
    here = sparse.csr_array((np.ones(len(rows)), (rows, of[: len(rows)])), shape)
    there = here if not reverse else sparse.csr_array(
        (np.ones(len(rows)), (rows, of[len(rows) :])), shape
    )  # fmt: skip
    shared = (here @ there.T).tocoo()
    enough = shared.data >= least
    return [
        (names[i], names[j])
        for i, j in zip(shared.coords[0][enough], shared.coords[1][enough], strict=True)
    ]
