"""Batches of a reasoner shared by several processes: who computes which shards.

A batch is cut into ``threads`` shards, however many processes there are, and a shard has its own
seed; each process computes its part of them. So the numbers are those of one process, but for the
order in which the parts of a gradient are added, and a run can go on with another number of
workers. Validation queries are shared in the same way, by whole batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import TrainingDiverged
from parsimony.graph import KnowledgeGraph
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.sharding import IntArray, ShardedPropagation
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import AnswerFilter, Filter, QuerySet, runs_of
from parsimony.metrics import Ranks
from parsimony.metrics.guard import require_scores
from parsimony.run.progress import Progress
from parsimony.training.workers import Crew

__all__ = ["CrewPropagation", "work"]

_QUERIES = ("head", "relation", "answer_ptr", "answer", "known_ptr", "known")


def shards_of(threads: int, crew: Crew) -> range:
    """The shards of a batch that a process computes."""
    begin, end = (threads * (crew.rank + k) // crew.size for k in (0, 1))
    return range(begin, end)


class CrewPropagation(ShardedPropagation):
    """The first process's side: it tells the others, does its part, and adds up.

    Parameters
    ----------
    graph, architecture, threads
        As of :class:`ShardedPropagation`.
    crew
        The processes.
    known
        The filter that :meth:`step` will be given.
    shapes
        Name → shape of the weights.
    """

    def __init__(
        self, graph: KnowledgeGraph, architecture: Architecture, threads: int, crew: Crew,
        known: Filter | None, shapes: dict[str, tuple[int, ...]],
    ) -> None:  # fmt: skip
        super().__init__(graph, architecture, threads, own=shards_of(threads, crew))
        self.crew, self._of_others = crew, 0.0
        self._active: npt.NDArray[np.uint8] | None = None
        self._queries: QuerySet | None = None
        crew.tell(
            "graph", {"facts": graph.triples, **({} if known is None else known.arrays())},
            n_entities=graph.n_entities, n_relations=graph.n_relations, threads=threads,
            architecture=asdict(architecture), filtered=known is not None,
        )  # fmt: skip
        for name, shape in shapes.items():  # one by one: a message's plain part is short
            crew.tell("shape", name=name, shape=shape)

    def step(
        self, weights: Weights, gradients: list[Weights], queries: IntArray,
        active: npt.NDArray[np.uint8], seed: int, known: AnswerFilter | None = None,
    ) -> float:  # fmt: skip
        """As of :class:`ShardedPropagation`, with the gradient of all."""
        if active is not self._active:
            self.crew.tell("active", {"bits": np.packbits(active)}, n=len(active))
            self._active = active
        self.crew.tell("step", {"weights": weights.flat, "queries": queries}, seed=seed)
        loss = super().step(weights, gradients, queries, active, seed, known)
        return self._summed(loss, gradients[0].flat)

    def ranks(
        self, weights: Weights, queries: QuerySet, batch: int, *, unreached: str = "zero",
        popularity: Sequence[float] = (0.0,), progress: Progress | None = None,
    ) -> list[Ranks]:  # fmt: skip
        """As of :class:`ShardedPropagation`; every process ranks whole batches."""
        if queries is not self._queries:
            self.crew.tell("queries", {name: getattr(queries, name) for name in _QUERIES})
            self._queries = queries
        self.crew.tell(
            "rank", {"weights": weights.flat}, batch=batch, unreached=unreached,
            popularity=list(popularity),
        )  # fmt: skip
        counts, own = _ranked(
            self, self.crew, weights, queries, batch, unreached, popularity, progress
        )
        self._summed(0.0, counts)
        if counts[0, 0, -1]:
            require_scores(np.array([np.nan]))  # they are another process's
        if progress is not None:
            progress.advance(len(queries) - own)
        relation, n = queries.answer_relation, self.architecture.n_relations
        ends = relation % n, relation // n
        return [Ranks(each[0, :-1].copy(), each[1, :-1].copy(), *ends) for each in counts]

    def _summed(self, loss: float, array: npt.NDArray[Any]) -> float:
        """Add up an array, the loss, and the operations of the others."""
        own = super().flops
        totals = np.array([loss, own])
        self.crew.add_up(array, totals)
        self._of_others = float(totals[1]) - own
        return float(totals[0])

    @property
    def flops(self) -> float:
        """Floating-point operations of all processes."""
        return super().flops + self._of_others


def work(crew: Crew) -> None:
    """The side of the others: do what the first process tells until it lets us go."""
    shapes: dict[str, tuple[int, ...]] = {}
    known: Filter | None = None
    propagation: ShardedPropagation
    gradients: list[Weights] = []
    while True:
        told, arrays = crew.hear()
        what = told["what"]
        if what == "graph":
            n_relations, threads = told["n_relations"], told["threads"]
            graph = KnowledgeGraph(arrays["facts"], told["n_entities"], n_relations)
            known = Filter.of(arrays, n_relations) if told["filtered"] else None
            propagation = ShardedPropagation(
                graph, Architecture(**told["architecture"]), threads,
                own=shards_of(threads, crew),
            )  # fmt: skip
        elif what == "shape":
            shapes[told["name"]] = tuple(told["shape"])
        elif what == "active":
            active = np.unpackbits(arrays["bits"], count=told["n"])
        elif what == "queries":
            queries = QuerySet(graph, **arrays)
        elif what == "step":
            gradients = gradients or [Weights(shapes) for _ in propagation.shards]
            weights = Weights(shapes, arrays["weights"])
            loss = propagation.step(
                weights, gradients, arrays["queries"], active, told["seed"], known
            )
            crew.add_up(gradients[0].flat, np.array([loss, propagation.flops]))
        elif what == "rank":
            weights = Weights(shapes, arrays["weights"])
            counts, _ = _ranked(
                propagation, crew, weights, queries, told["batch"], told["unreached"],
                told["popularity"],
            )  # fmt: skip
            crew.add_up(counts, np.array([0.0, propagation.flops]))
        else:
            return


def _ranked(
    propagation: ShardedPropagation, crew: Crew, weights: Weights, queries: QuerySet, batch: int,
    unreached: str, popularity: Sequence[float], progress: Progress | None = None,
) -> tuple[npt.NDArray[np.int64], int]:  # fmt: skip
    """A process's part of the counts of all answers, (n_weights, 2, n_answers + 1), its queries.

    The last column tells that scores were not finite.
    """
    rows = np.flatnonzero(np.arange(len(queries)) // batch % crew.size == crew.rank)
    counts = np.zeros((len(popularity), 2, len(queries.answer) + 1), np.int64)
    try:
        found = ShardedPropagation.ranks(
            propagation, weights, queries.take(rows), batch, unreached=unreached,
            popularity=popularity, progress=progress,
        )  # fmt: skip
    except TrainingDiverged:
        counts[0, 0, -1] = 1
    else:
        _, answers = runs_of(queries.answer_ptr, rows)
        for own, each in zip(counts, found, strict=True):
            own[0, answers], own[1, answers] = each.greater, each.equal
    return counts, len(rows)
