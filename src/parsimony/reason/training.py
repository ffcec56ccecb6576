"""One training loop for the reasoners: shards on threads, validation-selected epoch, resume.

A batch is cut into one shard a thread; every shard expands, propagates and differentiates on its
own buffers, and the gradients are added. All randomness of an epoch comes from (seed, epoch), so
that a resumed run walks the same path as an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.errors import TrainingDiverged
from parsimony.graph import KnowledgeGraph
from parsimony.kernels.frontier import Frontier
from parsimony.kernels.ranking import filtered_counts
from parsimony.measure import Ledger, Ranks
from parsimony.reason.architecture import Architecture
from parsimony.reason.parameters import Weights
from parsimony.reason.propagation import Propagation
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.tasks.link import Filter, LinkTask, QuerySet, both_directions, training_batch

IntArray = npt.NDArray[np.int32]


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Shards are the parallelism; torch's own threads would only compete with them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
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


class Engine:
    """Forward passes and gradients of batches on a pool of threads.

    Parameters
    ----------
    graph
        Facts to walk.
    architecture
        Dimensions and options of the model.
    threads
        Number of shards a batch.
    device
        "cpu" runs the fused kernels; anything else the plain torch form on that device.
    """

    def __init__(
        self, graph: KnowledgeGraph, architecture: Architecture, threads: int, device: str = "cpu"
    ) -> None:
        self.graph, self.architecture, self.threads = graph, architecture, threads
        if device == "cpu":
            make: Callable[[], Any] = lambda: Propagation(  # noqa: E731
                graph.digraph, graph.n_entities, architecture
            )
        else:
            from parsimony.reason.accelerator import PlainPropagation

            make = lambda: PlainPropagation(  # noqa: E731
                graph.digraph, graph.n_entities, architecture, device
            )
            threads = 1
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
        known: Filter | None = None,
    ) -> float:
        """Loss of a batch of (head, relation, answer) rows; its gradient in ``gradients[0]``.

        ``known`` names the answers that the partition sums leave out.
        """
        parts = [queries]
        if len(self.shards) > 1:
            shares = share_out(self.reach[queries[:, 0]], min(len(self.shards), len(queries)))
            parts = [queries[share] for share in shares]

        def work(i: int) -> float:
            gradients[i].flat.fill(0)
            batch = training_batch(parts[i], self.architecture.n_relations, known)
            return float(
                self.shards[i].loss_and_gradient(
                    weights, batch, active, gradients[i],
                    train_seed=seed * len(self.shards) + i,
                )
            )  # fmt: skip

        loss = float(sum(self._map(work, len(parts))))
        for other in gradients[1 : len(parts)]:
            gradients[0].flat += other.flat
        return loss

    def frontiers(
        self, weights: Weights, head: IntArray, relation: IntArray, batch: int
    ) -> Iterator[tuple[slice, Frontier, npt.NDArray[Any], int]]:
        """Score batches of queries: (which, frontier, row scores, shard)."""
        active = np.ones(max(len(self.graph), 1), np.uint8)
        slices = [slice(i, min(i + batch, len(head))) for i in range(0, len(head), batch)]
        for at in range(0, len(slices), len(self.shards)):
            group = slices[at : at + len(self.shards)]

            def work(i: int, group: list[slice] = group) -> tuple[Frontier, npt.NDArray[Any]]:
                which = group[i]
                frontier, scores = self.shards[i].forward(
                    weights, head[which], relation[which], active
                )
                return frontier, scores

            for i, (frontier, scores) in enumerate(self._map(work, len(group))):
                yield group[i], frontier, scores, i

    def rank(
        self,
        weights: Weights,
        queries: QuerySet,
        batch: int,
        *,
        unreached: float = 0.0,
        progress: Progress | None = None,
    ) -> Ranks:
        """Filtered ranks of all answers of a query set.

        Raises
        ------
        TrainingDiverged
            A score is NaN.
        """
        greater = np.empty(len(queries.answer), np.int64)
        equal = np.empty(len(queries.answer), np.int64)
        for which, frontier, scores, i in self.frontiers(
            weights, queries.head, queries.relation, batch
        ):
            if np.isnan(scores).any():  # no score is above NaN: it would rank first
                raise TrainingDiverged("a score is NaN", remedy="lower lr (--set lr=…)")
            a, k = queries.answer_ptr, queries.known_ptr
            answers = slice(a[which.start], a[which.stop])
            known = slice(k[which.start], k[which.stop])
            scratch = self.shards[i].scratch
            filtered_counts(
                frontier.ptr, frontier.node, frontier.row, scores, self.graph.n_entities,
                unreached,
                k[which.start : which.stop + 1] - k[which.start], queries.known[known],
                a[which.start : which.stop + 1] - a[which.start], queries.answer[answers],
                scratch.stamp, scratch.position, scratch.tick, greater[answers], equal[answers],
            )  # fmt: skip
            if progress is not None:
                progress.advance(which.stop - which.start)
        relation = queries.answer_relation
        n_relations = self.architecture.n_relations
        return Ranks(greater, equal, relation % n_relations, relation // n_relations)

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


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    epochs: int
    batch: int
    eval_batch: int
    lr: float
    decay: float
    weight_decay: float
    fact_ratio: float
    patience: int
    remove_one_hop: bool = False
    mask_answers: bool = False
    unreached: float = 0.0
    seed: int = 0


@dataclass
class State:
    """All that a checkpoint keeps."""

    weights: Weights
    best: npt.NDArray[Any]
    first_moment: npt.NDArray[Any]
    second_moment: npt.NDArray[Any]
    steps: int = 0
    epoch: int = 0
    best_epoch: int = 0
    best_mrr: float = -1.0
    seconds: float = 0.0
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a checkpoint."""
        return {
            "weights": self.weights.flat,
            "best": self.best,
            "first_moment": self.first_moment,
            "second_moment": self.second_moment,
        }

    def plain(self) -> dict[str, Any]:
        """Return what of a checkpoint is JSON."""
        names = ("steps", "epoch", "best_epoch", "best_mrr", "seconds", "finished", "history")
        return {name: getattr(self, name) for name in names}


def cut_facts(
    task: LinkTask, schedule: Schedule, generator: np.random.Generator
) -> tuple[IntArray, npt.NDArray[np.uint8]]:
    """Training queries (n, 3) of an epoch, shuffled, and the bitmap of facts to walk.

    Transductive: ``fact_ratio`` of the facts are walked, the others asked. With
    ``remove_one_hop`` every fact that joins the two ends of a query is not walked either.
    """
    facts = task.train_graph.triples
    active = np.ones(max(len(facts), 1), np.uint8)
    fixed = task.training_queries
    if fixed is None:
        order = generator.permutation(len(facts))
        asked = order[min(int(len(facts) * schedule.fact_ratio), len(facts) - 1) :]
        active[asked] = 0
        fixed = facts[asked]
    if schedule.remove_one_hop:
        n = task.train_graph.n_entities

        def pair(t: IntArray) -> npt.NDArray[np.int64]:
            low, high = np.minimum(t[:, 0], t[:, 2]), np.maximum(t[:, 0], t[:, 2])
            return low.astype(np.int64) * n + high

        active[np.isin(pair(facts), pair(fixed))] = 0
    queries = both_directions(fixed, task.n_relations)
    return queries[generator.permutation(len(queries))], active


class Adam:
    """Adam with L2 in the gradient, in place on the flat vector.

    The same update as torch.optim.Adam (β₁ .9, β₂ .999, ε 1e-8), whose first use imports a
    compiler stack: three seconds a process.
    """

    def __init__(self, state: State, schedule: Schedule) -> None:
        self.state = state
        self.weight_decay = schedule.weight_decay
        self.weight = torch.from_numpy(state.weights.flat)
        self.first = torch.from_numpy(state.first_moment)
        self.second = torch.from_numpy(state.second_moment)

    def step(self, gradient: npt.NDArray[Any], lr: float) -> None:
        """Apply one update."""
        self.state.steps += 1
        steps = self.state.steps
        g = torch.from_numpy(gradient).add(self.weight, alpha=self.weight_decay)
        self.first.lerp_(g, 0.1)
        self.second.mul_(0.999).addcmul_(g, g, value=0.001)
        scale = self.second.div(1 - 0.999**steps).sqrt_().add_(1e-8)
        self.weight.addcdiv_(self.first, scale, value=-lr / (1 - 0.9**steps))


def train(
    task: LinkTask,
    engine: Engine,
    state: State,
    schedule: Schedule,
    ledger: Ledger,
    *,
    run: RunFolder | None = None,
    time_budget: float | None = None,
    quiet: bool = True,
) -> State:
    """Train until the epochs, the budget or the patience end; ``state.best`` holds the winner.

    Raises
    ------
    TrainingDiverged
        The loss or a weight is not finite.
    """
    gradients = [Weights(state.weights.shapes) for _ in engine.shards]
    optimizer = Adam(state, schedule)
    has_valid = bool(len(task.data.valid)) if not task.inductive else True
    valid = task.queries("valid") if has_valid else None
    known = task.training_answers if schedule.mask_answers else None
    while not state.finished and state.epoch < schedule.epochs:
        begin, flops = time.perf_counter(), engine.flops
        epoch = state.epoch + 1
        generator = rng(schedule.seed, "epoch", epoch)
        queries, active = cut_facts(task, schedule, generator)
        lr = schedule.lr * schedule.decay ** (epoch - 1)
        base = int(generator.integers(1 << 40))
        loss = 0.0
        starts = range(0, len(queries), schedule.batch)
        with Progress(len(queries), f"epoch {epoch}/{schedule.epochs}", quiet=quiet) as progress:
            for number, at in enumerate(starts):
                batch = queries[at : at + schedule.batch]
                loss += engine.step(
                    state.weights, gradients, batch, active, base + number, known
                )
                if not np.isfinite(loss):
                    raise TrainingDiverged(
                        f"the loss became {loss} in epoch {epoch}, step {number + 1}",
                        remedy="lower lr (--set lr=…) and resume",
                    )
                optimizer.step(gradients[0].flat, lr)
                progress.advance(len(batch), loss=loss / (at + len(batch)))
        if not np.isfinite(state.weights.flat).all():  # the last step's loss did not tell
            raise TrainingDiverged(
                f"a weight became infinite or NaN in epoch {epoch}",
                remedy="lower lr (--set lr=…) and resume",
            )
        trained = time.perf_counter() - begin
        record: dict[str, Any] = {"epoch": epoch, "loss": loss / len(queries), "lr": lr}
        mrr = -record["loss"]
        if valid is not None:
            with Progress(len(valid), "validation", quiet=quiet) as progress:
                ranks = engine.rank(
                    state.weights, valid, schedule.eval_batch,
                    unreached=schedule.unreached, progress=progress,
                )  # fmt: skip
            metrics = ranks.metrics("realistic")
            mrr = metrics["mrr"]
            record |= {"valid_mrr": mrr, "valid_hits@1": metrics["hits@1"]}
        if state.best_epoch == 0 or mrr > state.best_mrr:
            state.best_epoch, state.best_mrr = epoch, float(mrr)
            state.best = state.weights.flat.copy()
        seconds = time.perf_counter() - begin
        record |= {"train_seconds": trained, "seconds": seconds}
        state.history.append(record)
        state.epoch = epoch
        state.seconds += seconds
        ledger.add(flops=engine.flops - flops)
        late = time_budget is not None and state.seconds + seconds > time_budget
        state.finished = late or epoch - state.best_epoch >= schedule.patience
        if run is not None:
            run.log(**record)
            run.save_checkpoint(state.plain() | {"ledger": ledger.as_dict()}, state.tensors())
    return state
