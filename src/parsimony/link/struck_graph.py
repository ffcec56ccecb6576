"""A graph without some of the facts of another one, which it remembers."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph

__all__ = ["StruckGraph"]


class StruckGraph(KnowledgeGraph):
    """The facts of ``whole`` that ``kept`` marks, (n_facts,)."""

    def __init__(self, whole: KnowledgeGraph, kept: npt.NDArray[np.bool_]) -> None:
        triples = whole.triples[kept]
        triples.flags.writeable = False
        super().__init__(
            triples, whole.n_entities, whole.n_relations, whole.entities, whole.relations
        )
        self.whole, self.kept = whole, kept

    @classmethod
    def of(cls, graph: KnowledgeGraph, facts: npt.NDArray[np.integer]) -> Self:
        """Strike facts (n, 3) out of a graph, of one that is struck already also."""
        wanted, own = (_keys(rows, graph) for rows in (facts, graph.triples))
        kept = ~np.isin(own, wanted)
        if not isinstance(graph, StruckGraph):
            return cls(graph, kept)
        left = graph.kept.copy()
        left[left] = kept
        return cls(graph.whole, left)

    @property
    def struck(self) -> npt.NDArray[np.int32]:
        """The facts that are missing, (n, 3)."""
        rows: npt.NDArray[np.int32] = self.whole.triples[~self.kept]
        return rows

    def on_whole(self, active: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8]:
        """Which facts of the whole graph hold, where of the kept ones only ``active`` do."""
        found = np.zeros(max(len(self.whole), 1), np.uint8)
        found[: len(self.kept)][self.kept] = 1 if active is None else active[: len(self)]
        return found


def _keys(facts: npt.NDArray[np.integer], graph: KnowledgeGraph) -> npt.NDArray[np.int64]:
    rows = np.asarray(facts, np.int64).reshape(-1, 3)
    found: npt.NDArray[np.int64] = (
        rows[:, 0] * graph.n_relations + rows[:, 1]
    ) * graph.n_entities + rows[:, 2]
    return found
