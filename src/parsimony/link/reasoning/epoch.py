"""An epoch of a reasoner: facts cut into graph and queries, batches, Adam, validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.errors import EmptySplit
from parsimony.link.left_out import LeftOut
from parsimony.link.reasoning.parameters import ReasonerParameters
from parsimony.link.reasoning.popularity import best_popularity
from parsimony.link.reasoning.sharding import ShardedPropagation
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import LinkTask, QuerySet, both_directions
from parsimony.run.progress import Progress
from parsimony.training.schedule import decayed
from parsimony.training.trainer import Learner, Step

__all__ = ["Adam", "ReasonerLearner", "queries_of_epoch", "split_facts"]

IntArray = npt.NDArray[np.int32]


def split_facts(
    task: LinkTask,
    fact_ratio: float,
    generator: np.random.Generator,
    *,
    remove_one_hop: bool,
    most: int | None = None,
) -> tuple[IntArray, npt.NDArray[np.uint8]]:
    """Training queries (n, 3) of an epoch, shuffled, and the bitmap of facts that are edges.

    Transductive: ``fact_ratio`` of the facts that may be asked are edges, the others queries; what
    is never asked, and what the edges entail by a book, is an edge as well. With
    ``remove_one_hop`` no fact that joins the two ends of a query is an edge either. ``most``
    keeps that many queries: what is no edge stays so, whether it is asked or not.
    """
    facts = task.train_graph.triples
    active = np.ones(max(len(facts), 1), np.uint8)
    queries = task.training_queries
    if queries is None:
        stated = task.n_asked
        order = generator.permutation(stated)
        held_out = order[min(int(stated * fact_ratio), stated - 1) :]
        active[held_out] = 0
        queries = facts[held_out]
        active = task.entailed(active)
    if remove_one_hop:
        n = task.train_graph.n_entities

        def pair(t: IntArray) -> npt.NDArray[np.int64]:
            low, high = np.minimum(t[:, 0], t[:, 2]), np.maximum(t[:, 0], t[:, 2])
            return low.astype(np.int64) * n + high

        active[np.isin(pair(facts), pair(queries))] = 0
    queries = both_directions(queries, task.n_relations)
    return queries[generator.permutation(len(queries))[:most]], active


def queries_of_epoch(task: LinkTask, fact_ratio: float) -> int:
    """How many training queries :func:`split_facts` finds, both directions counted."""
    if task.training_queries is not None:
        return 2 * len(task.training_queries)
    n = task.n_asked
    return 2 * (n - max(min(int(n * fact_ratio), n - 1), 0))


class Adam:
    """Adam with L2 in the gradient, in place on one vector.

    The same update as torch.optim.Adam (β₁ .9, β₂ .999, ε 1e-8), whose first use imports a
    compiler stack: three seconds per process.
    """

    def __init__(self, weight: Tensor, weight_decay: float) -> None:
        self.weight, self.weight_decay = weight, weight_decay
        self.first, self.second = torch.zeros_like(weight), torch.zeros_like(weight)
        self.steps = 0

    def step(self, gradient: npt.NDArray[Any], lr: float) -> None:
        """Apply one update."""
        self.steps += 1
        g = torch.from_numpy(gradient).add(self.weight, alpha=self.weight_decay)
        self.first.lerp_(g, 0.1)
        self.second.mul_(0.999).addcmul_(g, g, value=0.001)
        scale = self.second.div(1 - 0.999**self.steps).sqrt_().add_(1e-8)
        self.weight.addcdiv_(self.first, scale, value=-lr / (1 - 0.9**self.steps))

    def state(self) -> dict[str, Tensor]:
        """Return its moments and steps, named as torch.optim.Adam names them."""
        step = torch.tensor(float(self.steps))
        return {"0.exp_avg": self.first, "0.exp_avg_sq": self.second, "0.step": step}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take what :meth:`state` returned."""
        self.first.copy_(state["0.exp_avg"])
        self.second.copy_(state["0.exp_avg_sq"])
        self.steps = int(state["0.step"])


class ReasonerLearner(Learner):
    """A reasoner's weights, trained in place.

    Parameters
    ----------
    propagation
        Passes on the training graph.
    quiet
        Show no progress of validation.
    """

    def __init__(
        self,
        task: LinkTask,
        propagation: ShardedPropagation,
        weights: Weights,
        parameters: ReasonerParameters,
        *,
        quiet: bool,
    ) -> None:
        self.task, self.propagation, self.parameters = task, propagation, parameters
        self.quiet = quiet
        self.flat, self.named = torch.from_numpy(weights.flat), weights
        self.gradients = [Weights(weights.shapes) for _ in propagation.shards]
        self.adam = Adam(self.flat, parameters.weight_decay)
        known = task.training_answers if parameters.mask_answers else None
        self.known = known if task.possible is None else LeftOut(known, task.possible)
        self.all_valid: QuerySet | None
        try:
            self.all_valid = task.queries("valid")
        except EmptySplit:
            self.all_valid = None
        self.valid = self.all_valid
        self.n_queries = 0 if self.valid is None else len(self.valid)
        self.queries_at_once = parameters.eval_batch * len(propagation.shards)

    def epoch(self, number: int, drawn: np.random.Generator) -> tuple[int, Iterator[Step]]:
        """Draw the epoch's graph and queries; a step for every batch."""
        p = self.parameters
        queries, active = split_facts(
            self.task, p.fact_ratio, drawn, remove_one_hop=p.remove_one_hop,
            most=p.queries_per_epoch,
        )  # fmt: skip
        return len(queries), self._steps(number, queries, active, int(drawn.integers(1 << 40)))

    def _steps(
        self, number: int, queries: IntArray, active: npt.NDArray[np.uint8], seed: int
    ) -> Iterator[Step]:
        size = self.parameters.batch
        for i, at in enumerate(range(0, len(queries), size)):
            batch = queries[at : at + size]
            loss = self.propagation.step(
                self.named, self.gradients, batch, active, seed + i, self.known
            )
            self.flops = self.propagation.flops
            self.adam.step(self.gradients[0].flat, self.lr(number))
            yield Step(loss, len(batch))

    def lr(self, number: int) -> float:
        """The learning rate in an epoch."""
        return decayed(self.parameters.lr, self.parameters.decay, number, self.progress)

    def weights(self) -> dict[str, Tensor]:
        """All weights, one vector."""
        return {"weights": self.flat}

    def optimizer_state(self) -> dict[str, Tensor]:
        """The moments of Adam."""
        return self.adam.state()

    def restore_optimizer(self, state: dict[str, Tensor]) -> None:
        """Give Adam its moments."""
        self.adam.restore(state)

    def validate(self) -> dict[str, float]:
        """Filtered ranking of the validation queries; the MRR chooses the epoch."""
        if self.valid is None:
            return {}
        with Progress(len(self.valid), "validation", quiet=self.quiet) as progress:
            _, found = best_popularity(
                self.propagation, self.named, self.valid, self.parameters, progress
            )
        self.flops = self.propagation.flops
        return {"mrr": found["mrr"], "hits@1": found["hits@1"]}

    def ask(self, rows: npt.NDArray[np.integer[Any]] | None) -> None:
        """Choose validation queries."""
        if self.all_valid is not None:
            self.valid = self.all_valid if rows is None else self.all_valid.take(rows)

    def warm_up(self) -> None:
        """Compile the kernels, or read them from their cache, by the query that costs least.

        One for every shard, as other processes compute some.
        """
        facts = self.task.train_graph.triples
        least = int(np.argmin(self.propagation.reach[facts[:, 0]]))
        cheapest = facts[[least] * self.propagation.threads]
        active = np.ones(len(facts), np.uint8)
        self.propagation.step(self.named, self.gradients, cheapest, active, 0, self.known)
        self.flops = self.propagation.flops
