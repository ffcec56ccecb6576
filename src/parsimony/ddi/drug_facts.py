"""The facts that a new drug's file states, as facts of a background graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from parsimony.ddi.background import Background
from parsimony.ddi.drug_file import NewDrug, StatedFact
from parsimony.ddi.drug_names import folded
from parsimony.errors import FormatError, UnknownEntity, UnknownRelation, suggest

__all__ = ["Fact", "facts_of"]

#: Lists of proteins, and what the DrugBank layer calls one of them.
PROTEINS = {
    "targets": "target", "enzymes": "enzyme", "transporters": "transporter", "carriers": "carrier",
}  # fmt: skip
#: Other lists, and the relations that may say it, the first that has the entity.
LISTS = {
    "side_effects": ("CcSE", "causes"),
    "categories": ("in_category", "belongs_to"),
    "classes": ("in_class", "PCiC", "belongs_to"),
    "indications": ("CtD",),
    "atc": ("has_atc",),
}
#: Hetionet's "compound binds gene": it holds of 9 in 10 of the layer's enzymes and transporters.
BINDS = "CbG"


class Fact(NamedTuple):
    """A relation and an entity by their numbers; ``outgoing`` where the drug is the head."""

    relation: int
    entity: int
    outgoing: bool


def facts_of(drug: NewDrug, graph: Background) -> list[Fact]:
    """Find relation and entity of everything that a drug's file states.

    Entities are found by id ("Gene::1576", or "1576"), by name, then by name in any case; those
    that the relation already leads to go first.

    Raises
    ------
    UnknownRelation, UnknownEntity
        With the nearest known name.
    FormatError
        A name that several entities have; their ids are listed.
    """
    finder = _Finder(graph, drug.source)
    found = [fact for stated in drug.facts for fact in finder.facts(stated)]
    return list(dict.fromkeys(found))


class _Finder:
    def __init__(self, graph: Background, where: str) -> None:
        self._graph, self._where = graph, where
        self._relations = list(graph.relations)
        self._names: list[dict[str, list[int]]] = [{}, {}, {}, {}]
        for i, (name, label) in enumerate(zip(graph.entities, graph.labels, strict=True)):
            spelled = (name, label, name.rpartition("::")[2], label or name)
            for level, text in enumerate(spelled):
                if text:
                    key = folded(text) if level == 3 else text
                    self._names[level].setdefault(key, []).append(i)

    def facts(self, stated: StatedFact) -> list[Fact]:
        """All facts of the graph that a stated one makes."""
        relations = self._said_by(stated)
        if stated.key in LISTS:  # the first that leads to the entity
            ends = [self._entity(r, stated.entity, missing=False) for r in relations]
            known = [(r, e) for r, e in zip(relations, ends, strict=True) if self._leads(r, e)]
            relations = [known[0][0]] if known else relations[:1]
        return [
            Fact(self._relations.index(r), self._entity(r, stated.entity), self._outgoing(r))
            for r in relations
        ]

    def _said_by(self, stated: StatedFact) -> list[str]:
        """The relations of the graph that say it."""
        key, action = stated.key, stated.action.casefold()
        if key in PROTEINS:
            kind = PROTEINS[key]
            spelled = (action, f"{action} of {kind}", f"{action}_of") if action else ()
            said = [r for r in spelled if r in self._relations]
            ending = f" of {kind}"
            actions = [r.removesuffix(ending) for r in self._relations if r.endswith(ending)]
            if action and not said and actions:
                raise UnknownRelation.of(stated.action, actions, where=self._where)
            if not said:
                said = [r for r in (f"has_{kind}",) if r in self._relations]
            said = said[:1] + [r for r in (BINDS,) if r in self._relations]
            return said or self._no_way(stated)
        if key in LISTS:
            return [r for r in LISTS[key] if r in self._relations] or self._no_way(stated)
        if key in self._relations:
            return [key]
        known = [*PROTEINS, *LISTS, "name", "smiles", "fingerprint", "facts", *self._relations]
        raise UnknownRelation.of(key, known, where=self._where)

    def _no_way(self, stated: StatedFact) -> list[str]:
        """Say what this graph can say of the entity instead."""
        names = self._names[3].get(folded(stated.entity), [])
        rows = self._graph.triples[np.isin(self._graph.triples[:, [0, 2]], names).any(1)]
        said = [self._relations[r] for r in np.unique(rows[:, 1])] or self._relations
        told = f"{stated.action} " * bool(stated.action) + stated.key
        raise UnknownRelation(
            f"this graph does not say {told!r} of a drug",
            remedy=f"of {stated.entity} it says {', '.join(said[:12])}: use one of these as the "
            f'key, {said[0]} = ["{stated.entity}"]',
            where=self._where,
        )

    def _ends(self, relation: str) -> tuple[np.ndarray, np.ndarray]:
        """Heads and tails of a relation's facts that have a drug."""
        rows = self._graph.triples
        rows = rows[rows[:, 1] == self._relations.index(relation)]
        drugs = rows[:, [0, 2]] < self._graph.n_drugs
        return rows[drugs.any(1)][:, 0], rows[drugs.any(1)][:, 2]

    def _outgoing(self, relation: str) -> bool:
        """Whether drugs are rather heads than tails of a relation."""
        heads, tails = self._ends(relation)
        n = self._graph.n_drugs
        return int((heads < n).sum()) >= int((tails < n).sum())

    def _leads(self, relation: str, entity: int) -> bool:
        heads, tails = self._ends(relation)
        return entity in (tails if self._outgoing(relation) else heads)

    def _entity(self, relation: str, name: str, *, missing: bool = True) -> int:
        heads, tails = self._ends(relation)
        ends = set((tails if self._outgoing(relation) else heads).tolist())
        kinds = {self._kind(i) for i in ends}
        for level, names in enumerate(self._names):
            found = names.get(folded(name) if level == 3 else name, [])
            for kept in (
                [i for i in found if i in ends],
                [i for i in found if self._kind(i) in kinds or not kinds],
            ):
                if len(kept) == 1:
                    return kept[0]
                if len(kept) > 1 and missing:
                    ids = ", ".join(self._graph.entities.name(i) for i in kept[:5])
                    raise FormatError(
                        f"{name!r} names {len(kept)} entities of the graph",
                        remedy=f"give the id: {ids}",
                        where=self._where,
                    )
        if not missing:
            return -1
        known = self._labels(ends)
        if not suggest(name, known):  # then all others of their kind
            every = range(self._graph.n_drugs, len(self._graph.entities))
            known = self._labels(i for i in every if not kinds or self._kind(i) in kinds)
        raise UnknownEntity.of(name, known, where=self._where)

    def _kind(self, entity: int) -> str:
        """What stands before "::", "" where ids have no kind; drugs are of their own."""
        if entity < self._graph.n_drugs:
            return "drug"
        return self._graph.entities.name(entity).rpartition("::")[0]

    def _labels(self, entities: Iterable[int]) -> list[str]:
        return [self._graph.labels[i] or self._graph.entities.name(i) for i in sorted(entities)]
