"""An epoch of embeddings: one pass over all distinct queries of the training facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.objective import Objective
from parsimony.link.task import QuerySet
from parsimony.training.schedule import decayed
from parsimony.training.trainer import Learner, Step

__all__ = ["EmbeddingLearner"]


class EmbeddingLearner(Learner):
    """Both tables of vectors and their Adagrad accumulators.

    Parameters
    ----------
    objective
        Loss, gradients and updates over the tables.
    queries
        All distinct queries of the training facts; None where a subclass draws its own.
    batch, negatives
        Queries per step, and the entities that a step compares them with (0: all).
    lr, decay
        Learning rate of the first epoch, and its factor per epoch; None: half a cosine.
    valid, measure
        Validation queries, where there are any, and what measures the tables on some of them.
    """

    average_each = "epoch"
    between_checkpoints = 20.0  # a checkpoint holds up to eight tables

    def __init__(
        self,
        objective: Objective,
        queries: GroupedQueries | None,
        *,
        batch: int,
        negatives: int,
        lr: float,
        decay: float | None,
        valid: QuerySet | None = None,
        measure: Callable[[QuerySet], dict[str, float]] | None = None,
    ) -> None:
        self.objective, self.queries = objective, queries
        self.batch, self.negatives = batch, negatives
        self.first_lr, self.decay, self.measure = lr, decay, measure
        self.all_valid = self.valid = valid
        self.n_queries, self.queries_at_once = 0 if valid is None else len(valid), 512
        self.tables = {"entity": objective.entity, "relation": objective.relation}

    def lr(self, number: int) -> float:
        """The learning rate in an epoch."""
        return decayed(self.first_lr, self.decay, number, self.progress)

    def epoch(self, number: int, drawn: np.random.Generator) -> tuple[int, Iterator[Step]]:
        """Draw the order of the queries; items are answers."""
        assert self.queries is not None
        device = self.objective.entity.weight.device
        noise = torch.Generator(device).manual_seed(int(drawn.integers(2**62)))
        order = drawn.permutation(len(self.queries))
        return len(self.queries.answer), self._steps(number, order, drawn, noise, self.queries)

    def _steps(
        self,
        number: int,
        order: np.ndarray,
        drawn: np.random.Generator,
        noise: torch.Generator,
        queries: GroupedQueries,
    ) -> Iterator[Step]:
        for at in range(0, len(order), self.batch):
            batch = queries.batch(order[at : at + self.batch], self.negatives, drawn)
            self.before_step(drawn)
            loss = self.objective.step(batch, self.lr(number), noise)
            self.flops = self.objective.flops
            yield Step(loss, len(batch.answer))

    def before_step(self, drawn: np.random.Generator) -> None:
        """For learners that change the objective from step to step."""

    def weights(self) -> dict[str, Tensor]:
        """Both tables."""
        return {name: table.weight for name, table in self.tables.items()}

    def optimizer_state(self) -> dict[str, Tensor]:
        """Sums of squared gradients, one per number of the tables."""
        return {name: table.state for name, table in self.tables.items()}

    def restore_optimizer(self, state: dict[str, Tensor]) -> None:
        """Copy the sums in place."""
        for name, table in self.tables.items():
            table.state.copy_(state[name])

    def validate(self) -> dict[str, float]:
        """Mean reciprocal rank and hits@1 of the validation facts."""
        if self.measure is None or self.valid is None:
            return {}
        found = self.measure(self.valid)
        self.looked(2.0 * len(self.valid) * self.objective.entity.weight.numel())
        return {name: found[name] for name in ("mrr", "hits@1")}

    def looked(self, flops: float) -> None:
        """Count the operations of a look at validation."""
        self.objective.flops += flops
        self.flops = self.objective.flops

    def ask(self, rows: npt.NDArray[np.integer[Any]] | None) -> None:
        """Choose validation queries."""
        if self.all_valid is not None:
            self.valid = self.all_valid if rows is None else self.all_valid.take(rows)
