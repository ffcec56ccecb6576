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

from parsimony.kernels.ranking import higher_counts, leave_out
from parsimony.link.embeddings.objective import Buffers
from parsimony.link.embeddings.scoring import Scoring
from parsimony.link.embeddings.tables import ThreadPool
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.metrics.guard import require_scores
from parsimony.run.progress import Progress
from parsimony.run.steps import step_done
from parsimony.run.table_shards import RowParts

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
        Vectors (n_entities, d) and (n_relations, ·), twice as many with ``reciprocal``. Those of
        entities may be mapped from several files, of which no more is read than is compared.
    n_relations
        R; relation r + R of a query asks for heads.
    reciprocal
        Whether r + R has a vector of its own.
    block
        Queries scored at a time.
    """

    #: of the entities, the first one whose vector is here
    first = 0

    def __init__(
        self,
        scoring: Scoring,
        entity: Tensor | RowParts,
        relation: Tensor,
        n_relations: int,
        *,
        reciprocal: bool,
        block: int = 512,
    ) -> None:
        self.scoring, self.entity, self.relation = scoring, entity, relation
        self.n_relations, self.reciprocal, self.block = n_relations, reciprocal, block
        self.buffers = Buffers(relation)
        # Of equal size, none of few rows: a product of few rows may round otherwise, and equal
        # entities would no longer tie.
        pieces, self._least = max(1, len(entity) // PIECE), min(PIECE, len(entity))
        self._pieces = np.linspace(0, len(entity), pieces + 1).astype(int).tolist()

    def rows(self, entity: IntArray) -> Tensor:
        """Vectors (n, d) of entities by their ids."""
        if isinstance(self.entity, RowParts):
            return torch.from_numpy(self.entity[entity])
        index = torch.as_tensor(np.asarray(entity, np.int64), device=self.entity.device)
        return self.entity[index]

    def _piece(self, low: int, high: int) -> Tensor:
        piece = self.entity[low:high]
        return piece if isinstance(piece, Tensor) else torch.from_numpy(piece)

    def queries(self, entity: IntArray, relation: IntArray) -> Tensor:
        """Query vectors (n, d) of entity and relation ids."""
        device, e = self.relation.device, self.rows(entity)
        row = np.asarray(relation, np.int64)
        inverse = row >= self.n_relations
        if self.reciprocal:
            inverse = np.zeros_like(inverse)
        else:
            row = row % self.n_relations
        r = self.relation[torch.as_tensor(row, device=device)]
        query = torch.empty_like(e)
        for direction in (False, True):
            which = torch.as_tensor(np.flatnonzero(inverse == direction), device=device)
            if len(which):
                part = self.scoring.query(e[which], r[which], direction, torch.empty_like(e[which]))
                query[which] = part
        return query

    def scores(self, entity: IntArray, relation: IntArray) -> Iterator[tuple[slice, Tensor]]:
        """Scores (n_entities, n) of blocks of queries; the next block overwrites them."""
        for part in self._blocks(len(entity)):
            query = self.queries(entity[part], relation[part])
            out = self.buffers.get("scores", len(self.entity), len(query))
            for low, high in pairwise(self._pieces):
                self.scoring.compare(self._piece(low, high), query, out[low:high])
            yield part, out

    def rank(self, queries: QuerySet, progress: Progress, pool: ThreadPool) -> Ranks:
        """Filtered rank counts of all answers of a query set.

        Raises
        ------
        TrainingDiverged
            A score is NaN or infinite.
        """
        shards = []
        for part in self._blocks(len(queries)):
            step_done()
            answer_ptr = queries.answer_ptr[part.start : part.stop + 1]
            known_ptr = queries.known_ptr[part.start : part.stop + 1]
            count = np.diff(answer_ptr)
            query = np.repeat(np.arange(len(count), dtype=np.uint64), count)
            # One answer of each query stands first, so that its columns need no gather.
            order = np.argsort(np.diff(query, prepend=np.uint64(len(count))) == 0, kind="stable")
            greater, equal = self._counts(
                self.queries(queries.head[part], queries.relation[part]),
                query[order], len(count) if count.all() else 0,
                queries.answer[answer_ptr[0] : answer_ptr[-1]][order],
                known_ptr - known_ptr[0], queries.known[known_ptr[0] : known_ptr[-1]], pool,
            )  # fmt: skip
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

    # ---- parts -------------------------------------------------------------------------------

    def _blocks(self, n: int) -> Iterator[slice]:
        return (slice(at, min(at + self.block, n)) for at in range(0, n, self.block))

    def _compare(self, candidates: Tensor, query: Tensor) -> npt.NDArray[Any]:
        """Scores of a few candidates; the next ones overwrite them."""
        out = self.buffers.get("piece", len(candidates), len(query))
        return self.scoring.compare(candidates, query, out).cpu().numpy()

    def _counts(
        self,
        vectors: Tensor,
        query: npt.NDArray[np.uint64],
        first: int,
        answer: IntArray,
        known_ptr: IntArray,
        known: IntArray,
        pool: ThreadPool,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Rank counts of a block's answers; see :func:`higher_counts` and :func:`leave_out`.

        Entities are counted piece by piece while their scores are in the cache. What an answer
        itself scores has to be known before: it is computed as pieces are. Should its own piece
        round otherwise, all pieces are counted again with what was found there.
        """
        n = len(answer)
        entity = np.concatenate([answer, known]) - self.first
        of_known = np.repeat(np.arange(len(known_ptr) - 1, dtype=np.uint64), np.diff(known_ptr))
        column = np.concatenate([query, of_known])
        is_here = (entity >= 0) & (entity < len(self.entity))
        here = np.flatnonzero(is_here)
        by_piece = here[np.argsort(entity[here], kind="stable")]
        cuts = np.searchsorted(entity[by_piece], self._pieces)
        value = self._values(vectors, query, answer)
        score = np.zeros(len(entity), value.dtype)
        for _ in range(2):  # the pieces of the second pass round as those of the first
            greater, equal = np.zeros((2, n), np.int32)
            for (low, high), (start, stop) in zip(
                pairwise(self._pieces), pairwise(cuts), strict=True
            ):
                scores = self._compare(self._piece(low, high), vectors)
                self._require(scores)
                pool.run(higher_counts, n, (scores, query, first, value), (greater, equal))
                some = by_piece[start:stop]
                score[some] = scores[entity[some] - low, column[some]]
            found = self._agreed(score[:n])
            if np.array_equal(found, value):
                break
            value = found.copy()
        equal[~is_here[:n]] += 1  # what is not here was not counted, and is left out nevertheless
        kept = is_here[n:]
        known_ptr = np.concatenate([[0], np.cumsum(kept)])[known_ptr]
        pool.run(
            leave_out, n, (query, answer, value, known_ptr, known[kept], score[n:][kept]),
            (greater, equal),
        )  # fmt: skip
        return greater, equal

    def _agreed(self, scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Scores of answers, of which those of entities that are not here are 0."""
        return scores

    def _require(self, scores: npt.NDArray[Any]) -> None:
        require_scores(scores)

    def _values(
        self, vectors: Tensor, query: npt.NDArray[np.uint64], answer: IntArray
    ) -> npt.NDArray[Any]:
        """Scores of the answers, by products of about the size of a piece."""
        n = len(answer)
        rows = np.resize(answer, max(n, self._least)).astype(np.int64)
        cuts = np.linspace(0, len(rows), max(1, n // PIECE) + 1).astype(int).tolist()
        found = []
        for low, high in pairwise(cuts):
            scores = self._compare(self.rows(rows[low:high]), vectors)
            k = np.arange(low, min(high, n))
            found.append(scores[k - low, query[k]])
        return np.concatenate(found)
