"""Filtered ranks where every process scores the entities whose rows it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.link.embeddings.ranking import PIECE, IntArray, Ranker
from parsimony.link.embeddings.scoring import Scoring
from parsimony.metrics.guard import require_scores
from parsimony.training.crew import Crew

__all__ = ["ShardRanker"]


class ShardRanker(Ranker):
    """Counts, of the entities of one process, those that score higher than an answer.

    All processes rank the same queries; the sums of their counts are the ranks.

    Parameters
    ----------
    crew, bounds
        The processes, and where the rows of each begin, and how many there are.
    scoring, entity, relation, n_relations, options
        As of :class:`Ranker`; ``entity`` holds the own rows.
    """

    def __init__(
        self, crew: Crew, bounds: list[int], scoring: Scoring, entity: Tensor, relation: Tensor,
        n_relations: int, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(scoring, entity, relation, n_relations, **options)
        self.crew, self.first, self.last = crew, bounds[crew.rank], bounds[crew.rank + 1]
        self._least = min(PIECE, bounds[-1])
        self._infinite = False

    def rows(self, entity: IntArray) -> Tensor:
        """Vectors of entities, each from its owner."""
        ids = np.asarray(entity, np.int64)
        here = np.flatnonzero((ids >= self.first) & (ids < self.last))
        assert isinstance(self.entity, Tensor)
        found = np.zeros((len(ids), self.entity.shape[1]), np.float32)
        found[here] = self.entity.numpy()[ids[here] - self.first]
        self.crew.agree(found)
        return torch.from_numpy(found)

    def _values(
        self, vectors: Tensor, query: npt.NDArray[np.uint64], answer: IntArray
    ) -> npt.NDArray[Any]:
        """Scores of the answers as the first process rounds them."""
        value = super()._values(vectors, query, answer)
        if self.crew.rank:
            value[...] = 0
        self.crew.agree(value)
        return value

    def _agreed(self, scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
        infinite = np.array([self._infinite], np.int64)
        self.crew.agree(infinite)
        if infinite[0]:  # all of them end here, not one alone
            require_scores(np.array([np.nan]))
        found = np.array(scores)
        self.crew.agree(found)
        return found

    def _require(self, scores: npt.NDArray[Any]) -> None:
        self._infinite |= not np.isfinite(scores).all()
