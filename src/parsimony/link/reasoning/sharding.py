"""Forward passes and gradients of batches on threads.

A batch is cut into one shard per thread; every shard expands, propagates and differentiates on its
own buffers, and the gradients are added. Threads of several processes can share the shards
(:mod:`parsimony.link.reasoning.crew`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.products import one_blas_thread
from parsimony.kernels.ranking import filtered_counts, nothing_listed
from parsimony.kernels.redgnn.frontier import Frontier
from parsimony.link.frequency import UNREACHED, Beside, Frequencies
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import AnswerFilter, QuerySet, training_batch
from parsimony.metrics import Ranks
from parsimony.metrics.guard import require_scores
from parsimony.run.progress import Progress
from parsimony.run.steps import step_done

IntArray = npt.NDArray[np.int32]
_Lists = tuple[npt.NDArray[np.int64], IntArray]
_NONE: _Lists = np.zeros(1, np.int64), np.zeros(0, np.int32)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Shards are the parallelism; torch's own threads would only compete with them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_blas_thread():
            yield
    finally:
        torch.set_num_threads(before)


def share_out(cost: npt.NDArray[np.float64], n: int) -> list[IntArray]:
    """Cut items into ``n`` shares of nearly equal cost: the dearest first, to the least laden."""
    share = np.empty(len(cost), np.int32)
    load = np.zeros(n)
    for i in np.argsort(-cost, kind="stable"):
        share[i] = np.argmin(load)
        load[share[i]] += cost[i]
    return [np.flatnonzero(share == k).astype(np.int32) for k in range(n)]


class ShardedPropagation:
    """Forward passes and gradients of batches on a pool of threads.

    Parameters
    ----------
    graph
        Facts to walk.
    architecture
        Dimensions and options of the model.
    threads
        Number of shards per batch.
    device
        "cpu" runs the fused kernels; anything else the plain torch form on that device.
    own
        The shards that are computed here; all by default.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        architecture: Architecture,
        threads: int,
        device: str = "cpu",
        own: range | None = None,
    ) -> None:
        self.graph, self.architecture, self.threads = graph, architecture, threads
        self.walkable = Walkable(graph.digraph)
        if device == "cpu":
            make: Callable[[], Any] = lambda: Propagation(  # noqa: E731
                self.walkable, graph.n_entities, architecture
            )
        else:
            from parsimony.link.reasoning.torch_device import PlainPropagation

            make = lambda: PlainPropagation(  # noqa: E731
                self.walkable, graph.n_entities, architecture, device
            )
            self.threads = 1
        self.own = range(self.threads) if own is None else own
        threads = len(self.own)
        self.shards = [make() for _ in range(threads)]
        # OpenMP counts threads for each calling thread, so every worker must ask for one.
        self._pool = (
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
            if threads > 1
            else None
        )

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()

    def _map(self, function: Callable[[int], Any], n: int) -> list[Any]:
        if self._pool is None or n == 1:
            return [function(i) for i in range(n)]
        return list(self._pool.map(function, range(n)))

    def step(
        self,
        weights: Weights,
        gradients: list[Weights],
        queries: IntArray,
        active: npt.NDArray[np.uint8],
        seed: int,
        known: AnswerFilter | None = None,
    ) -> float:
        """Loss of a batch of (head, relation, answer) rows; its gradient in ``gradients[0]``.

        Both are of the shards that are computed here. ``known`` names the answers that the
        partition sums leave out.
        """
        parts = [queries]
        if self.threads > 1:
            shares = share_out(self.reach[queries[:, 0]], min(self.threads, len(queries)))
            parts = [queries[share] for share in shares]
        own = [part for part in self.own if part < len(parts)]
        gradients[0].flat.fill(0)

        def work(i: int) -> float:
            gradients[i].flat.fill(0)
            batch = training_batch(parts[own[i]], self.architecture.n_relations, known)
            return float(
                self.shards[i].loss_and_gradient(
                    weights, batch, active, gradients[i],
                    train_seed=seed * self.threads + own[i],
                )
            )  # fmt: skip

        loss = float(sum(self._map(work, len(own))))
        for other in gradients[1 : len(own)]:
            gradients[0].flat += other.flat
        return loss

    def frontiers(
        self,
        weights: Weights,
        head: IntArray,
        relation: IntArray,
        batch: int,
        active: npt.NDArray[np.uint8] | None = None,
    ) -> Iterator[tuple[slice, Frontier, npt.NDArray[Any], int]]:
        """Score batches of queries: (which, frontier, row scores, shard).

        ``active`` marks the facts to walk, all of them by default.
        """
        if active is None:
            active = self.everything
        slices = [slice(i, min(i + batch, len(head))) for i in range(0, len(head), batch)]
        for at in range(0, len(slices), len(self.shards)):
            step_done()
            group = slices[at : at + len(self.shards)]

            def work(i: int, group: list[slice] = group) -> tuple[Frontier, npt.NDArray[Any]]:
                which = group[i]
                frontier, scores = self.shards[i].forward(
                    weights, head[which], relation[which], active
                )
                return frontier, scores

            for i, (frontier, scores) in enumerate(self._map(work, len(group))):
                yield group[i], frontier, scores, i

    def ranks(
        self,
        weights: Weights,
        queries: QuerySet,
        batch: int,
        *,
        unreached: str = "zero",
        popularity: Sequence[float] = (0.0,),
        progress: Progress | None = None,
    ) -> list[Ranks]:
        """Filtered ranks of all answers of a query set, under each weight of popularity.

        ``unreached`` names how entities that are not reached are ranked
        (:data:`parsimony.link.frequency.UNREACHED`).

        Raises
        ------
        TrainingDiverged
            A score is NaN or infinite.
        """
        counts = np.empty((len(popularity), 2, len(queries.answer)), np.int64)
        for which, frontier, scores, i in self.frontiers(
            weights, queries.head, queries.relation, batch
        ):
            require_scores(scores)
            a, k = queries.answer_ptr, queries.known_ptr
            answers = slice(a[which.start], a[which.stop])
            known = slice(k[which.start], k[which.stop])
            scratch = self.shards[i].scratch
            asked = (
                (k[which.start : which.stop + 1] - k[which.start], queries.known[known]),
                (a[which.start : which.stop + 1] - a[which.start], queries.answer[answers]),
            )
            beside = self.beside(frontier, queries.relation[which], unreached, popularity, *asked)
            for (greater, equal), weight in zip(counts, popularity, strict=True):
                row, value, listed = frontier.row, scores, nothing_listed(len(frontier.ptr) - 1)
                if beside is not None:
                    listed = beside.listed(unreached, weight)
                if beside is not None and weight:
                    value = beside.added(scores[row], weight)
                    row = np.arange(len(value), dtype=np.int32)
                filtered_counts(
                    frontier.ptr, frontier.node, row, value, self.graph.n_entities,
                    UNREACHED[unreached], listed, *asked[0], *asked[1], scratch.stamp,
                    scratch.position, scratch.tick, greater[answers], equal[answers],
                )  # fmt: skip
            if progress is not None:
                progress.advance(which.stop - which.start)
        relation = queries.answer_relation
        n_relations = self.architecture.n_relations
        ends = relation % n_relations, relation // n_relations
        return [Ranks(greater, equal, *ends) for greater, equal in counts]

    def beside(
        self, frontier: Frontier, relations: IntArray, unreached: str,
        popularity: Sequence[float], known: _Lists = _NONE, answers: _Lists = _NONE,
    ) -> Beside | None:  # fmt: skip
        """What answers the queries' relations beside a frontier; None where that is not asked."""
        if unreached != "frequency" and not any(popularity):
            return None
        found = Beside(self.frequencies, relations, known, answers)
        found.reached(frontier.ptr, frontier.node)
        return found

    @cached_property
    def everything(self) -> npt.NDArray[np.uint8]:
        """All facts to be walked: the same array always, of which the digraph is kept."""
        return np.ones(max(len(self.graph), 1), np.uint8)

    def without(self, fact: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
        """All facts but one: a fact is no reason for itself."""
        rows = self.graph.rows_of(fact)
        if not len(rows):
            return self.everything
        active = self.everything.copy()
        active[rows] = 0
        return active

    @cached_property
    def frequencies(self) -> Frequencies:
        """How often entities answer relations in the graph."""
        return Frequencies.of_graph(self.graph)

    @cached_property
    def reach(self) -> npt.NDArray[np.float64]:
        """What a query from each entity costs, roughly: the root of its two-step walks."""
        indptr, neighbour = self.graph.digraph[:2]
        degree = np.diff(indptr)
        source = np.repeat(np.arange(len(degree)), degree)
        walks = np.bincount(source, 1.0 + degree[neighbour], len(degree))
        return np.sqrt(1.0 + walks.astype(np.float64))

    @property
    def flops(self) -> float:
        """Floating-point operations counted so far (formula: propagation.py)."""
        return float(sum(shard.counts.flops for shard in self.shards))
