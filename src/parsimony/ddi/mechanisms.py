"""Mechanisms that a person states: an interaction type as a rule over the background graph.

    metabolism_decreased(A,B) <- inhibits_strongly(A,E), substrate_of(B,E)
    "QTc prolongation"(A,B)   <- CbG(A,KCNH2), CbG(B,KCNH2)

In the head A is the drug that acts, #Drug1 of the type's sentence, and B the other one; where the
sentence is the same either way round, or its order is undecided, either drug may be A. The head's
name is the id of a type, or words: then every type whose sentence has all of them. The body is one
path from A to B over relations of the background graph, in either direction, through variables or
through entities named by id or label.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.ddi.background import Background
from parsimony.ddi.data import DDIData
from parsimony.ddi.direction import Subject
from parsimony.ddi.task import DDITask
from parsimony.decoding.files import read_text
from parsimony.errors import FormatError, UnknownEntity, UnknownRelation, suggest
from parsimony.knowledge.rules import Constant, Rule, Term, parse_rule

__all__ = [
    "MeasuredMechanism",
    "Mechanism",
    "measure_mechanisms",
    "measured",
    "mechanisms_of",
    "parse_mechanisms",
    "stated_lines",
]

IntArray = npt.NDArray[np.int32]
EXAMPLE = "metabolism_decreased(A,B) <- inhibits_strongly(A,E), substrate_of(B,E)"
_PLACE = re.compile(r"#\s*(\S+:\d+|line \d+)\s*$")


class Hop(NamedTuple):
    """A step of a mechanism's path: a background relation, and the entity it must lead to or −1."""

    relation: int
    inverse: bool
    entity: int


@dataclass(frozen=True, eq=False)
class Mechanism:
    """A stated rule, by numbers of one task.

    Attributes
    ----------
    rule : Rule
        As it was stated.
    types : tuple of int
        The interaction types of its head.
    hops : tuple of Hop
        The path from the acting drug to the other.
    """

    rule: Rule
    types: tuple[int, ...]
    hops: tuple[Hop, ...]
    data: DDIData
    background: Background

    @cached_property
    def _steps(self) -> list[Any]:
        """Adjacency of every hop, csr (n_entities, n_entities), 1 where there is a fact."""
        n, triples = len(self.background.entities), self.background.triples
        found = []
        for relation, inverse, entity in self.hops:
            facts = triples[triples[:, 1] == relation]
            source, target = (facts[:, 2], facts[:, 0]) if inverse else (facts[:, 0], facts[:, 2])
            kept = (target == entity) | (entity < 0)
            edges = (np.ones(kept.sum()), (source[kept], target[kept]))
            step = sparse.csr_array(edges, shape=(n, n))
            step.data[:] = 1
            found.append(step)
        return found

    @cached_property
    def walks(self) -> Any:
        """Number of paths from every drug to every other, csr (n_drugs, n_drugs)."""
        n = self.background.n_drugs
        first, *rest = self._steps
        return reduce(lambda left, step: left @ step, rest, first[:n])[:, :n].tocsr()

    def counts(self, pairs: IntArray) -> npt.NDArray[np.float64]:
        """Paths of pairs (n, 2) from the acting drug of every type to the other, (n, n_types).

        0 for types that are not of the head.
        """
        found = np.zeros((len(pairs), self.data.n_types))
        if not len(pairs):
            return found
        forth = np.asarray(self.walks[pairs[:, 0], pairs[:, 1]]).ravel()
        back = np.asarray(self.walks[pairs[:, 1], pairs[:, 0]]).ravel()
        of = {Subject.FIRST: forth, Subject.SECOND: back}
        for kind in self.types:
            found[:, kind] = of.get(self.data.subject(kind), np.maximum(forth, back))
        return found

    def path(self, kind: int, first: int, second: int) -> list[tuple[int, Hop, int]]:
        """One path of a pair for a type, from its acting drug: (source, hop, target) per step.

        At every step it takes the least connected entity. Empty where there is none.
        """
        subject = self.data.subject(kind)
        orders = {Subject.FIRST: [(first, second)], Subject.SECOND: [(second, first)]}
        for acting, other in orders.get(subject, [(first, second), (second, first)]):
            if self.walks[acting, other]:
                return self._least_connected(acting, other)
        return []

    def _least_connected(self, here: int, goal: int) -> list[tuple[int, Hop, int]]:
        leads = np.zeros(len(self.background.entities))
        leads[goal] = 1
        reaching = [leads]  # after the last hop, before it, …
        for step in self._steps[:0:-1]:
            reaching.append(step @ reaching[-1])
        degree, found = self.background.degree, []
        for step, hop, leads in zip(self._steps, self.hops, reversed(reaching), strict=True):
            near = step.indices[step.indptr[here] : step.indptr[here + 1]]
            near = near[leads[near] > 0]
            there = int(near[degree[near].argmin()])
            found.append((here, hop, there))
            here = there
        return found


class MeasuredMechanism(NamedTuple):
    """A mechanism with its evidence in the training pairs.

    Every training pair is looked at in both directions. What the pairs that are not known to
    interact would say is not known, so that the confidence is that among interacting pairs.

    Attributes
    ----------
    rule : Rule
        Support: directions in which the body holds and a type of the head is a fact; body count:
        those in which the body holds.
    types : tuple of str
        Ids of the head's types.
    reverse : int
        Directions in which the body holds and the head is a fact of the opposite direction.
    base : float
        Share of all directions in which the head is a fact, in [0, 1].
    """

    rule: Rule
    types: tuple[str, ...]
    reverse: int
    base: float

    @property
    def lift(self) -> float:
        """Confidence by the base rate; nan where the head is no fact at all."""
        counted = self.rule.with_counts(self.rule.support, self.rule.body_count)
        return counted.confidence / self.base if self.base else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return the figures under their names."""
        return {
            "rule": self.rule.clause,
            "support": self.rule.support,
            "body_count": self.rule.body_count,
            "confidence": self.rule.confidence,
            "lift": self.lift if self.base else None,
            "reverse": self.reverse,
            "types": list(self.types),
        }


def measure_mechanisms(mechanisms: Iterable[Mechanism], task: DDITask) -> list[MeasuredMechanism]:
    """Count what the training pairs say of mechanisms.

    Parameters
    ----------
    mechanisms
        As :func:`mechanisms_of` and :func:`parse_mechanisms` return them.
    task
        Of which they are.
    """
    data, rows = task.data, task.pairs("train")
    ends = np.unique(np.sort(rows[:, [0, 2]], axis=1), axis=0)
    both = np.concatenate([ends, ends[:, ::-1]])  # acting, other
    code = both[:, 0].astype(np.int64) * data.n_drugs + both[:, 1]
    order = np.argsort(code)

    def stated(types: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Whether a type is a fact, with the first drug acting."""
        held = np.zeros(len(both), bool)
        for kind in types:
            of, subject = rows[rows[:, 1] == kind][:, [0, 2]].astype(np.int64), data.subject(kind)
            turned = of[:, ::-1]
            acting = {Subject.FIRST: of, Subject.SECOND: turned}.get(subject)
            acting = np.concatenate([of, turned]) if acting is None else acting
            held[order[np.searchsorted(code[order], acting @ [data.n_drugs, 1])]] = True
        return held

    found = []
    for mechanism in mechanisms:
        holds = np.asarray(mechanism.walks[both[:, 0], both[:, 1]]).ravel() > 0
        fact = stated(mechanism.types)
        opposite = np.roll(fact, len(ends))  # the two halves are each other's opposite
        support, count = int((holds & fact).sum()), int(holds.sum())
        found.append(MeasuredMechanism(
            mechanism.rule.with_counts(support, count),
            tuple(data.types.name(kind) for kind in mechanism.types),
            int((holds & opposite & ~fact).sum()),
            float(fact.mean()),
        ))  # fmt: skip
    return found


def measured(mechanisms: Sequence[Mechanism], task: DDITask) -> list[Mechanism]:
    """Return the mechanisms with the evidence of the training pairs in their rules."""
    counted = measure_mechanisms(mechanisms, task)
    return [replace(m, rule=found.rule) for m, found in zip(mechanisms, counted, strict=True)]


def stated_lines(path: str | os.PathLike[str]) -> list[str]:
    """Read the lines of a file of mechanisms, each with ``# file:line``, its place, as a comment.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    FormatError
        A line is not a rule, or there is none.
    """
    name, found = os.fspath(path), []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip() and not line.strip().startswith("#"):
            rule = parse_rule(line, where=f"{name}:{number}")
            found.append(f"{rule}  # {name}:{number}")
    if not found:
        raise FormatError("no mechanism", remedy=f"one per line, such as {EXAMPLE}", where=name)
    return found


def parse_mechanisms(lines: Iterable[str], task: DDITask) -> list[Mechanism]:
    """Read mechanisms, one a line; a comment ``# file:line`` at its end is where it was stated.

    Raises
    ------
    FormatError, UnknownRelation, UnknownEntity
        As :func:`mechanisms_of`, with ``where``.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        place = _PLACE.search(line)
        where = place[1] if place else f"line {number}"
        found.append(_mechanism(parse_rule(line, where=where), task, where))
    return found


def mechanisms_of(rules: Iterable[Rule], task: DDITask) -> list[Mechanism]:
    """Find the types, relations and entities that rules name.

    Raises
    ------
    UnknownRelation
        No such interaction type, or no such relation in the background graph.
    UnknownEntity
        No such entity there.
    FormatError
        A variable of the head is not in the body, the body is no path between the two drugs, or
        several entities go by a name.
    """
    return [_mechanism(rule, task, str(rule.clause)) for rule in rules]


def _mechanism(rule: Rule, task: DDITask, where: str) -> Mechanism:
    types = _types(rule.head.relation, task.data, where)
    background, hops = task.background, []
    for relation, inverse, term in _path(rule, where):
        if relation not in background.relations:
            raise _unknown(relation, background.relations.names, where)
        entity = -1 if isinstance(term, str) else _entity(term, background, where)
        hops.append(Hop(background.relations.index(relation), inverse, entity))
    return Mechanism(rule, types, tuple(hops), task.data, background)


def _unknown(relation: str, known: Sequence[str], where: str) -> UnknownRelation:
    shown = ", ".join(known[:8]) + ", …" * (len(known) > 8)
    remedy = suggest(relation, known) or (
        f"it has {shown}" if known else "choose one by --set graph=hetionet+layer"
    )
    return UnknownRelation(
        f"the background graph has no relation {relation!r}", remedy=remedy, where=where
    )


def _types(name: str, data: DDIData, where: str) -> tuple[int, ...]:
    """The type of an id, or those whose sentences have all the words."""
    if name in data.types:
        return (data.types.index(name),)
    wanted = _words(name)
    texts = zip(data.types, data.templates, strict=True)
    found = tuple(t for t, text in enumerate(texts) if wanted <= _words(" ".join(text)))
    if not found or not wanted:
        names = [*data.types, *filter(None, data.templates)]
        raise UnknownRelation(
            f"no interaction type is called {name!r} or has these words in its sentence",
            remedy=suggest(name, names) or "give the id of a type, or words of its sentence",
            where=where,
        )
    return found


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))


def _entity(term: Constant, background: Background, where: str) -> int:
    """The number of an entity by its id or its readable name."""
    if term.name in background.entities:
        return background.entities.index(term.name)
    found = [i for i, label in enumerate(background.labels) if label == term.name]
    if len(found) > 1:
        ids = ", ".join(background.entities.name(i) for i in found[:5])
        raise FormatError(
            f"{len(found)} entities of the background graph are called {term.name!r}",
            remedy=f"give an id: {ids}", where=where,
        )  # fmt: skip
    if not found:
        names = {*background.entities, *filter(None, background.labels)}
        raise UnknownEntity(
            f"the background graph has no entity {term.name!r}",
            remedy=suggest(term.name, sorted(names)) or "give its id or its name", where=where,
        )  # fmt: skip
    return found[0]


def _path(rule: Rule, where: str) -> list[tuple[str, bool, Term]]:
    """The body as a path between the two drugs: relation, inverse, the term it leads to.

    Raises
    ------
    FormatError
        It is none.
    """
    a, b = rule.head.terms
    inside = {term for atom in rule.body for term in atom.terms}
    for term in (a, b):
        if isinstance(term, str) and term not in inside:
            raise FormatError(
                f"the variable {term} of the head is not in the body: {rule.clause}",
                remedy=f"connect it, as in {EXAMPLE}", where=where,
            )  # fmt: skip
    here, left, seen = a, list(rule.body), {a}
    found: list[tuple[str, bool, Term]] = []
    while left and here != b:
        touching = [atom for atom in left if here in atom.terms]
        if len(touching) != 1:
            break
        left.remove(touching[0])
        inverse = touching[0].object == here
        here = touching[0].subject if inverse else touching[0].object
        if here in seen:
            break
        seen.add(here)
        found.append((touching[0].relation, inverse, here))
    if rule.names_entity or a == b or here != b or left:
        raise FormatError(
            f"the body is not a path between the two drugs of the head: {rule.clause}",
            remedy=f"write a chain from one to the other, as in {EXAMPLE}", where=where,
        )  # fmt: skip
    return found
