"""How often entities answer a relation: the order of those not reached, and a prior for all.

What a method does not reach is ranked by how often it answers the relation. That is a rule without
a body, ``h(X,c) <-``, of every entity c; where anything else speaks, it is not heard. Its scores
lie between :data:`FLOOR` and 0. A reasoner, whose walks know no entity by its name, may hear it
everywhere, with one weight (docs/methods/redgnn.md, eq. 12).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.ranking import Listed, entries
from parsimony.knowledge.rule_walks import WalkIndex
from parsimony.link.popularity import popularity_counts

__all__ = ["FLOOR", "UNREACHED", "Beside", "Frequencies", "of_one"]

KEPT = 1 << 25  # scores that are kept for other queries of a relation
#: of an entity that answers the relation nowhere; so near to 0 that no model's score lies between
FLOOR = float(np.float32(-1e-6))
#: the score of what is not reached, and answers the relation nowhere, by its name as a parameter
UNREACHED = {"frequency": FLOOR, "zero": 0.0, "below": -np.inf}

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Frequencies:
    """How often each entity answers each query relation in a graph.

    Parameters
    ----------
    key, count
        As :func:`parsimony.link.popularity.popularity_counts` returns them.
    n_entities, n_relations
        Of the graph.
    """

    def __init__(self, key: Longs, count: Longs, n_entities: int, n_relations: int) -> None:
        ends = np.arange(2 * n_relations + 1, dtype=np.int64) * n_entities
        self._ptr = np.searchsorted(key, ends)
        self._entity = (key % n_entities).astype(np.int32)
        self._count = count.astype(np.int32)
        self._place = np.zeros(n_entities, np.int32)
        self._kept: dict[tuple[int, str, float], tuple[Floats, Floats]] = {}

    @classmethod
    def of_graph(cls, graph: KnowledgeGraph) -> Frequencies:
        """Count the facts of a graph."""
        return cls(*popularity_counts(graph), graph.n_entities, graph.n_relations)

    @classmethod
    def of_index(cls, index: WalkIndex) -> Frequencies:
        """Count the facts that an index holds."""
        key = index.relation.astype(np.int64) * index.n_entities + index.neighbour
        key.sort()
        first = np.flatnonzero(np.diff(key, prepend=-1))
        count = np.diff(first, append=len(key))
        return cls(key[first], count, index.n_entities, index.n_relations)

    def of(
        self, relation: int, unreached: str = "frequency", weight: float = 0.0
    ) -> tuple[Ints, Floats]:
        """Return the entities that answer a query relation somewhere, and their scores.

        Parameters
        ----------
        unreached
            Names the score of what is not reached (:data:`UNREACHED`).
        weight
            Of log(1 + how often an entity answers the relation), which is added.
        """
        return self._entity[self._some(relation)], self._scored(relation, unreached, weight)[0]

    def _some(self, relation: int) -> slice:
        return slice(self._ptr[relation], self._ptr[relation + 1])

    def _scored(self, relation: int, unreached: str, weight: float) -> tuple[Floats, Floats]:
        """Scores of a relation's entities, and these in order."""
        key = relation, unreached, weight
        if key not in self._kept:
            count = self._count[self._some(relation)]
            value = weight * np.log1p(count) if weight else np.zeros(len(count))
            if unreached == "frequency":
                value += FLOOR * (1 - count / (count.max(initial=0) + 1.0))
            else:
                value += UNREACHED[unreached]
            if sum(len(each) for each, _ in self._kept.values()) + len(count) > KEPT:
                self._kept.clear()
            scores = value.astype(np.float32)
            self._kept[key] = scores, np.sort(scores)
        return self._kept[key]

    def times(self, relation: int, entity: int) -> int:
        """How often an entity answers a query relation."""
        entities, count = self._entity[self._some(relation)], self._count[self._some(relation)]
        at = int(np.searchsorted(entities, entity))
        return int(count[at]) if at < len(count) and entities[at] == entity else 0

    def fill(self, row: Floats, relation: int) -> None:
        """Write the scores of entities whose score is 0 into a row of all, (n_entities,)."""
        entities, values = self.of(relation)
        rest = row == 0
        row[rest] = FLOOR
        unreached = rest[entities]
        row[entities[unreached]] = values[unreached]


class Beside:
    """What answers the relations of a batch of queries, beside what these reach.

    Parameters
    ----------
    frequencies
    relations
        (n_queries,)
    known, answers
        Of each query, as ``ptr`` (n_queries + 1,) and entities.
    """

    def __init__(
        self, frequencies: Frequencies, relations: npt.NDArray[np.integer],
        known: tuple[Longs, Ints], answers: tuple[Longs, Ints],
    ) -> None:  # fmt: skip
        self._all = frequencies
        self._relations, of = np.unique(relations, return_inverse=True)
        parts = [frequencies._some(int(r)) for r in self._relations]
        ends = np.cumsum([0, *(part.stop - part.start for part in parts)])
        self._first, self._last = ends[:-1][of], ends[1:][of]
        self._entity, self._count = (
            _joined([array[part] for part in parts])
            for array in (frequencies._entity, frequencies._count)
        )
        self._scored: dict[tuple[str, float], tuple[Floats, Floats]] = {}
        self._of_known, self._of_answer = self._entries(*known), self._entries(*answers)
        self._of_node = np.zeros(0, np.int64)

    def _entries(self, ptr: Longs, node: Ints) -> Longs:
        found = np.empty(len(node), np.int64)
        entries(ptr, node, self._first, self._last, self._entity, self._all._place, found)
        return found

    def reached(self, ptr: Longs, node: Ints) -> None:
        """Say what the queries reach."""
        self._of_node = self._entries(ptr, node)

    def listed(self, unreached: str = "frequency", weight: float = 0.0) -> Listed:
        """Return the lists for :func:`parsimony.kernels.ranking.filtered_counts`."""
        key = unreached, weight
        if key not in self._scored:
            scored = [self._all._scored(int(r), unreached, weight) for r in self._relations]
            self._scored[key] = _joined([each for each, _ in scored]), _joined(
                [each for _, each in scored]
            )
        return Listed(
            self._first, self._last, *self._scored[key], self._of_node, self._of_known,
            self._of_answer,
        )  # fmt: skip

    def added(self, scores: npt.NDArray[np.floating], weight: float) -> Floats:
        """Return the scores of all nodes, with those for how often they answer the relation."""
        found = scores.astype(np.float32)
        here = self._of_node >= 0
        times = self._count[self._of_node[here]]
        found[here] += (weight * np.log1p(times)).astype(np.float32)
        return found


def of_one(nodes: Ints) -> tuple[Longs, Ints]:
    """Return the entities of a single query with their ``ptr``."""
    return np.array([0, len(nodes)]), nodes


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
