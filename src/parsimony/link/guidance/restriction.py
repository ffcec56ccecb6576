"""Walk only relations that a book's rules of the asked relation use.

Queries are grouped by relation, and every group walks a graph of its own: the facts of those
relations that occur in the body of a rule for it, in either direction. A relation without rules
walks the whole graph.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule

__all__ = ["Restriction"]


class Restriction:
    """The relations that rules use, by the relation that they conclude, and graphs of them alone.

    Attributes
    ----------
    used
        Relation ids by relation id; what has no rule is missing.
    """

    def __init__(self, rules: Iterable[Rule], names: Iterable[str]) -> None:
        ids = {name: i for i, name in enumerate(names)}
        found: dict[int, set[int]] = {}
        for rule in rules:
            if rule.head.relation in ids:
                body = {ids[atom.relation] for atom in rule.body if atom.relation in ids}
                found.setdefault(ids[rule.head.relation], set()).update(body)
        self.used = {relation: frozenset(body) for relation, body in found.items()}

    def graph(self, whole: KnowledgeGraph, relation: int) -> KnowledgeGraph:
        """What a query of a relation (r + R asks for heads) walks."""
        used = self.used.get(relation % whole.n_relations)
        if used is None:
            return whole
        inside = np.isin(whole.triples[:, 1], list(used))
        if inside.all():
            return whole
        return KnowledgeGraph(
            whole.triples[inside], whole.n_entities, whole.n_relations,
            whole.entities, whole.relations,
        )  # fmt: skip

    def groups(
        self, relation: npt.NDArray[np.int32], n_relations: int
    ) -> list[tuple[int, npt.NDArray[np.int64]]]:
        """Relations asked for, and the rows that ask for them from either side."""
        of = relation % n_relations
        return [(int(each), np.flatnonzero(of == each)) for each in np.unique(of)]
