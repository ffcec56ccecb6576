"""Scores of all entities, and filtered ranks, in blocks of queries.

No mask of the size of the scores is built: known answers are subtracted from the counts one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.embed.objective import Buffers
from parsimony.embed.scoring import Scoring
from parsimony.embed.tables import Team
from parsimony.kernels.ranking import dense_counts
from parsimony.measure import Ranks
from parsimony.run.progress import Progress
from parsimony.tasks.link import QuerySet

IntArray = npt.NDArray[np.integer[Any]]

#: Rows of a product. Scores of all entities at once leave the cache while they are made: 512
#: queries against 40,943 entities take 7 % longer then.
PIECE = 512


class Ranker:
    """Answers queries with fixed vectors.

    Parameters
    ----------
    scoring
        How vectors make a score.
    entity, relation
        Vectors (n_entities, d) and (n_relations, ·), twice as many with ``reciprocal``.
    n_relations
        R; relation r + R of a query asks for heads.
    reciprocal
        Whether r + R has a vector of its own.
    block
        Queries scored at a time.
    """

    def __init__(
        self,
        scoring: Scoring,
        entity: Tensor,
        relation: Tensor,
        n_relations: int,
        *,
        reciprocal: bool,
        block: int = 512,
    ) -> None:
        self.scoring, self.entity, self.relation = scoring, entity, relation
        self.n_relations, self.reciprocal, self.block = n_relations, reciprocal, block
        self.buffers = Buffers(entity)
        # Of equal size, none of few rows: a product of few rows may round otherwise, and equal
        # entities would no longer tie.
        pieces = max(1, len(entity) // PIECE)
        self._pieces = np.linspace(0, len(entity), pieces + 1).astype(int).tolist()

    def queries(self, entity: IntArray, relation: IntArray) -> Tensor:
        """Query vectors (n, d) of entity and relation ids."""
        device = self.entity.device
        e = self.entity[torch.as_tensor(np.asarray(entity, np.int64), device=device)]
        asked = np.asarray(relation, np.int64)
        inverse = asked >= self.n_relations
        if self.reciprocal:
            inverse = np.zeros_like(inverse)
        else:
            asked = asked % self.n_relations
        r = self.relation[torch.as_tensor(asked, device=device)]
        query = torch.empty_like(e)
        for direction in (False, True):
            which = torch.as_tensor(np.flatnonzero(inverse == direction), device=device)
            if len(which):
                part = self.scoring.query(e[which], r[which], direction, torch.empty_like(e[which]))
                query[which] = part
        return query

    def scores(self, entity: IntArray, relation: IntArray) -> Iterator[tuple[slice, Tensor]]:
        """Scores (n_entities, n) of blocks of queries; the next block overwrites them."""
        for at in range(0, len(entity), self.block):
            part = slice(at, min(at + self.block, len(entity)))
            query = self.queries(entity[part], relation[part])
            out = self.buffers.get("scores", len(self.entity), len(query))
            for low, high in pairwise(self._pieces):
                self.scoring.compare(self.entity[low:high], query, out[low:high])
            yield part, out

    def rank(self, queries: QuerySet, progress: Progress, team: Team) -> Ranks:
        """Filtered rank counts of all answers of a query set."""
        shards = []
        for part, scores in self.scores(queries.head, queries.relation):
            array = scores.cpu().numpy()
            answers = slice(queries.answer_ptr[part.start], queries.answer_ptr[part.stop])
            count = np.diff(queries.answer_ptr[part.start : part.stop + 1])
            query = np.repeat(np.arange(len(count), dtype=np.uint64), count)
            known_ptr = queries.known_ptr[part.start : part.stop + 1]
            known = queries.known[known_ptr[0] : known_ptr[-1]]
            # One answer of each query stands first, so that its columns need no gather.
            order = np.argsort(np.diff(query, prepend=np.uint64(len(count))) == 0, kind="stable")
            first = len(count) if count.all() else 0
            n = len(query)
            value, greater, equal = np.empty(n, array.dtype), *np.empty((2, n), np.int32)
            asked = (
                array, query[order], first, queries.answer[answers][order],
                known_ptr - known_ptr[0], known,
            )  # fmt: skip
            team.share(dense_counts, n, asked, (value, greater, equal))
            back = np.argsort(order)
            relation = np.repeat(queries.relation[part], count)
            shards.append(
                Ranks(
                    greater[back], equal[back],
                    relation % self.n_relations, relation // self.n_relations,
                )
            )  # fmt: skip
            progress.advance(len(count))
        return Ranks.join(shards)
