"""Method "degree": how often each entity answers a relation, whoever asks.

The baseline without parameters of :mod:`parsimony.link.popularity`, as a method: it takes part in a
race, so that whatever wins has beaten it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting, constructor
from parsimony.explain import Explanation
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.link.estimator import LinkEstimator
from parsimony.link.popularity import popularity_counts, popularity_ranks
from parsimony.link.question import Question
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress

__all__ = ["Degree"]

IntArray = npt.NDArray[np.int32]


class DegreeParameters(base.Parameters):
    """There is nothing to choose but the protocol."""

    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, description="seed of the bootstrap, ≥ 0")


class Degree(LinkEstimator[DegreeParameters]):
    """Answers a query by how often each entity answers its relation in the graph."""

    method: ClassVar[str] = "degree"
    paper: ClassVar[str] = "the degree baseline"
    Parameters = DegreeParameters
    __init__ = constructor(DegreeParameters)
    unknown_entity: ClassVar[str] = "it never answers anything"

    def _setup(self) -> None:
        self.parameters_count_ = 0

    def _fit(self, fitting: Fitting) -> None:
        """Counting is all there is to learn, and is done when it is asked."""

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        greater, equal = popularity_ranks(queries)
        progress.advance(len(queries))
        relation, n = queries.answer_relation, self.task_.n_relations
        return Ranks(greater, equal, relation % n, relation // n)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        graph = graph or self.task_.test_graph
        key, count = popularity_counts(graph)
        out = np.full((len(relation), graph.n_entities), self._unreached, np.float32)
        begin = np.searchsorted(key, relation.astype(np.int64) * graph.n_entities)
        end = np.searchsorted(key, (relation.astype(np.int64) + 1) * graph.n_entities)
        for row, asked, low, high in zip(out, relation.tolist(), begin, end, strict=True):
            row[key[low:high] - asked * graph.n_entities] = count[low:high]
        return out

    def explain(
        self, head: str, relation: str, tail: str, *, side: Side = "tail", seed: int = 0
    ) -> Explanation:
        """Say how often the answer answers the relation; nothing else counts.

        Parameters
        ----------
        side
            The side that was asked for.
        seed
            Nothing is drawn.

        Raises
        ------
        UnknownEntity, UnknownRelation
            With the nearest known name.
        """
        self._require_fitted()
        task, data = self.task_, self.task_.test_data
        h, r, t = self.encode_fact(head, relation, tail)
        question = Question.of((h, r, t), side, task.n_relations)
        row = self._score(*question.query)[0]
        count = float(max(row[question.answer], 0.0))
        answer = data.label(head if side == "head" else tail)
        return Explanation(
            query=(head, relation, tail),
            score=float(row[question.answer]),
            probability=float(self.probability(row)[question.answer]),
            rank=question.rank(row, task),
            labels={name: data.label(name) for name in sorted({head, tail})},
            model=self.method,
            side=side,
            known=task.split_of(h, r, t) or "no",
            parts={f"facts of {relation} with {answer} as {side}": count},
            parts_note="How often the answer answers the relation, whoever asks.",
            notes=tuple(self._doubts([h, t], r)),
        )

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The share of the relation's facts that each entity answers."""
        count: npt.NDArray[np.float64] = np.maximum(row, 0.0).astype(np.float64)
        return count / max(float(count.sum()), 1.0)

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """The facts of the run are all there is."""
