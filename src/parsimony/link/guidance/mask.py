"""Which answers a book leaves possible: by domain, range, disjoint types, and values known.

An entity with types has those alone: where a range is T, an entity that has types but not T is
impossible. One without types has at least those that the domains and ranges of its facts give it:
it is impossible where one of them is disjoint with T. A functional relation with a known value has
no other. Only facts of the graph given count as known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph

__all__ = ["MASKING", "TYPING", "Mask"]

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
TYPING = ("domain", "range")
#: kinds of axioms that make answers impossible (disjoint only together with domains and ranges)
MASKING = (*TYPING, "functional", "inverse_functional")


class Mask:
    """The axioms of a book, ready to tell which entities of a graph can answer.

    Parameters
    ----------
    axioms
        (kind, terms) of those to use; other kinds are passed over.
    types
        Types of entities, by names.
    graph
        The facts that are known.
    entities, relations
        Names by id.

    Attributes
    ----------
    without_members
        Types in a domain or range that no entity has: these axioms are not used.
    """

    def __init__(
        self,
        axioms: Iterable[tuple[str, tuple[str, ...]]],
        types: Mapping[str, Iterable[str]],
        graph: KnowledgeGraph,
        entities: Sequence[str],
        relations: Sequence[str],
    ) -> None:
        self.graph = graph
        n, r = graph.n_entities, graph.n_relations
        ids = {name: i for i, name in enumerate(relations)}
        of_kind: dict[str, list[tuple[str, ...]]] = {}
        for kind, terms in axioms:
            of_kind.setdefault(kind, []).append(terms)
        sets = [frozenset(types.get(name, ())) for name in entities]
        typed = np.array([bool(each) for each in sets], bool).reshape(n)
        has: dict[str, Bools] = {}

        def members(wanted: str) -> Bools:
            if wanted not in has:
                has[wanted] = np.array([wanted in each for each in sets], bool).reshape(n)
            return has[wanted]

        # the end of a fact (query relation that asks for it) → the types that it must have
        ends = [
            (ids[name] + (r if kind == "domain" else 0), wanted)
            for kind in TYPING
            for name, wanted in of_kind.get(kind, ())
            if name in ids
        ]
        implied: dict[str, Bools] = {}
        for asked, wanted in ends:
            facts = graph.triples[graph.triples[:, 1] == asked % r]
            seen = implied.setdefault(wanted, np.zeros(n, bool))
            seen[facts[:, 2 if asked < r else 0]] = True
        excluded: dict[str, Bools] = {}
        for first, second in of_kind.get("disjoint", ()):
            for one, other in ((first, second), (second, first)):
                known = implied.get(other, np.zeros(n, bool))
                excluded[one] = excluded.get(one, np.zeros(n, bool)) | known
        self._typed: dict[int, Bools] = {}
        self.without_members: list[str] = []
        for asked, wanted in ends:
            if not members(wanted).any() and typed.any():
                self.without_members.append(wanted)
                continue
            possible = members(wanted) | ~typed
            possible &= members(wanted) | ~excluded.get(wanted, np.zeros(n, bool))
            if not possible.all():
                self._typed[asked] = self._typed.get(asked, np.ones(n, bool)) & possible
        # query relations of which an entity with a value has no other; and of which a taken answer
        # is no one else's
        functional = {ids[name] for (name,) in of_kind.get("functional", ()) if name in ids}
        inverse = {ids[name] for (name,) in of_kind.get("inverse_functional", ()) if name in ids}
        self._single = functional | {each + r for each in inverse}
        self._taken = {each + r for each in functional} | inverse
        self._edges: dict[int, tuple[Ints, Ints]] = {}

    @property
    def relations(self) -> set[int]:
        """Query relations (r + R asks for heads) whose answers may be impossible."""
        return {*self._typed, *self._single, *self._taken}

    @property
    def typed(self) -> set[int]:
        """Query relations whose answers have a stated domain or range."""
        return {*self._typed}

    def _facts(self, asked: int) -> tuple[Ints, Ints]:
        """Known (entity asked about, answer) of a query relation."""
        if asked not in self._edges:
            r = self.graph.n_relations
            facts = self.graph.triples[self.graph.triples[:, 1] == asked % r]
            ends = (facts[:, 0], facts[:, 2])
            self._edges[asked] = ends if asked < r else ends[::-1]
        return self._edges[asked]

    def possible(self, head: Ints, relation: Ints, *, asked_anew: bool = False) -> Bools:
        """Which entities can answer each query, (n_queries, n_entities).

        With ``asked_anew`` what the graph knows of the entity asked about rules nothing out, as in
        training, where the queries are known facts.
        """
        found = np.ones((len(head), self.graph.n_entities), bool)
        for i, (entity, asked) in enumerate(zip(head.tolist(), relation.tolist(), strict=True)):
            row = found[i]
            if asked in self._typed:
                row &= self._typed[asked]
            if asked not in self._single and asked not in self._taken:
                continue
            source, answer = self._facts(asked)
            own = answer[source == entity]
            if asked in self._taken:
                row[answer[~np.isin(answer, own)]] = False
            if asked in self._single and len(own) and not asked_anew:
                row[:] = False
            row[own] = True
        return found
