"""How often entities answer a relation: the order of those not reached, and a prior for all.

What a method does not reach is ranked by how often it answers the relation. That is a rule without
a body, ``h(X,c) <-``, of every entity c; where anything else speaks, it is not heard. Its scores
lie between :data:`FLOOR` and 0. A reasoner, whose walks know no entity by its name, may hear it
everywhere, with one weight (docs/methods/redgnn.md, eq. 7).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_walks import WalkIndex
from parsimony.link.popularity import popularity_counts

__all__ = ["FLOOR", "UNREACHED", "Frequencies"]

#: of an entity that answers the relation nowhere; so near to 0 that no model's score lies between
FLOOR = float(np.float32(-1e-6))
#: the score of what is not reached, and answers the relation nowhere, by its name as a parameter
UNREACHED = {"frequency": FLOOR, "zero": 0.0, "below": -np.inf}

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@kernel
def _append(nodes, scores, size, entities, values, logs, weight, place):  # type: ignore[no-untyped-def]
    """Append the entities that are not reached; return how many there are now.

    IN  entities, values, logs (n,); place (n_entities,): scratch, 0 before and after
    OUT nodes, scores (n_entities,), of which ``size`` are reached: ``weight * logs`` is added to
        their scores, and to the values of the others
    """
    for j in range(len(entities)):
        place[entities[j]] = j + 1
    for i in range(size):
        j = place[nodes[i]]
        if j > 0:
            scores[i] += weight * logs[j - 1]
            place[nodes[i]] = 0
    n = size
    for j in range(len(entities)):
        if place[entities[j]] > 0:
            nodes[n], scores[n] = entities[j], values[j] + weight * logs[j]
            place[entities[j]] = 0
            n += 1
    return n


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
        share = np.empty(len(key))
        for low, high in zip(self._ptr[:-1], self._ptr[1:], strict=True):
            share[low:high] = count[low:high] / (count[low:high].max(initial=0) + 1)
        self._values = {
            name: (rest * (1 - share) if name == "frequency" else np.full(len(key), rest)).astype(
                np.float32
            )
            for name, rest in UNREACHED.items()
        }
        self._count, self._log = count, np.log1p(count).astype(np.float32)
        self._place = np.zeros(n_entities, np.int32)

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

    def of(self, relation: int) -> tuple[Ints, Floats]:
        """Return the entities that answer a query relation somewhere, and their scores below 0."""
        some = self._some(relation)
        return self._entity[some], self._values["frequency"][some]

    def _some(self, relation: int) -> slice:
        return slice(self._ptr[relation], self._ptr[relation + 1])

    def append(
        self, nodes: Ints, scores: Floats, size: int, relation: int,
        *, unreached: str = "frequency", weight: float = 0.0,
    ) -> int:  # fmt: skip
        """Write those that are not among the first ``size`` nodes behind them; how many are now.

        Parameters
        ----------
        unreached
            Names the score of what is not reached (:data:`UNREACHED`).
        weight
            Of log(1 + how often an entity answers the relation), which is added to every score.
        """
        some = self._some(relation)
        found: int = _append(
            nodes, scores, size, self._entity[some], self._values[unreached][some],
            self._log[some], weight, self._place,
        )  # fmt: skip
        return found

    def extended(
        self, ptr: Longs, nodes: Ints, scores: Floats, relations: Ints, *, unreached: str,
        weight: float,
    ) -> tuple[Longs, Ints, Floats]:  # fmt: skip
        """As :meth:`append`, of the nodes of each query of a batch: ``ptr``, nodes, and scores."""
        begin = np.concatenate([[0], np.cumsum(np.diff(ptr) + np.diff(self._ptr)[relations])])
        out, value = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.float32)
        again, at = np.zeros(len(ptr), np.int64), 0
        for b, relation in enumerate(relations.tolist()):
            n = int(ptr[b + 1] - ptr[b])
            out[at : at + n] = nodes[ptr[b] : ptr[b + 1]]
            value[at : at + n] = scores[ptr[b] : ptr[b + 1]]
            at += self.append(out[at:], value[at:], n, relation, unreached=unreached, weight=weight)
            again[b + 1] = at
        return again, out[:at], value[:at]

    def times(self, relation: int, entity: int) -> int:
        """How often an entity answers a query relation."""
        some = self._some(relation)
        at = some.start + int(np.searchsorted(self._entity[some], entity))
        here = at < some.stop and self._entity[at] == entity
        return int(self._count[at]) if here else 0

    def fill(self, row: Floats, relation: int) -> None:
        """Write the scores of entities whose score is 0 into a row of all, (n_entities,)."""
        entities, values = self.of(relation)
        rest = row == 0
        row[rest] = FLOOR
        unreached = rest[entities]
        row[entities[unreached]] = values[unreached]
