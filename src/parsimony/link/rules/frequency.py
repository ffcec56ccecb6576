"""The order of entities that no rule reaches: by how often they answer the relation.

That is a rule without a body, ``h(X,c) <-``, of every entity c; where any other rule speaks, it is
not heard. Its scores lie between :data:`FLOOR` and 0, those of rules above 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_walks import WalkIndex

__all__ = ["FLOOR", "Frequencies"]

FLOOR = -1e-3  # of an entity that answers the relation nowhere

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@kernel
def _append(nodes, scores, size, entities, values, reached):  # type: ignore[no-untyped-def]
    """Append the entities that are not reached; return how many there are now.

    IN  nodes, scores (n_entities,), of which ``size`` are reached; entities, values (n,)
        reached (n_entities,): scratch, False before and after
    """
    for j in range(size):
        reached[nodes[j]] = True
    n = size
    for j in range(len(entities)):
        if not reached[entities[j]]:
            nodes[n], scores[n] = entities[j], values[j]
            n += 1
    for j in range(size):
        reached[nodes[j]] = False
    return n


class Frequencies:
    """How often each entity answers each query relation in a graph.

    Parameters
    ----------
    index : WalkIndex
        The facts.
    """

    def __init__(self, index: WalkIndex) -> None:
        self.index = index
        self._of: dict[int, tuple[Ints, Floats]] = {}
        self._reached = np.zeros(index.n_entities, bool)

    def of(self, relation: int) -> tuple[Ints, Floats]:
        """Return the entities that answer a query relation somewhere, and their scores below 0."""
        if relation not in self._of:
            end = self.index.neighbour[self.index.relation == relation]
            count = np.bincount(end, minlength=self.index.n_entities)
            entities = np.flatnonzero(count).astype(np.int32)
            share = count[entities] / (count.max(initial=0) + 1)
            self._of[relation] = entities, (FLOOR * (1 - share)).astype(np.float32)
        return self._of[relation]

    def append(self, nodes: Ints, scores: Floats, size: int, relation: int) -> int:
        """Write those that are not among the first ``size`` nodes behind them; how many are now."""
        found: int = _append(nodes, scores, size, *self.of(relation), self._reached)
        return found

    def fill(self, row: Floats, relation: int) -> None:
        """Write the scores of entities whose score is 0 into a row of all, (n_entities,)."""
        entities, values = self.of(relation)
        rest = row == 0
        row[rest] = FLOOR
        unreached = rest[entities]
        row[entities[unreached]] = values[unreached]
