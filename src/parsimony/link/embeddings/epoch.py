"""Epochs over all distinct queries, selected on validation, kept and resumed from checkpoints.

All randomness of an epoch comes from (seed, epoch).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.errors import TrainingDiverged
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.objective import Objective
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

#: A checkpoint holds eight tables: seconds at least between two of them.
BETWEEN_CHECKPOINTS = 20.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    epochs: int
    batch: int
    negatives: int
    lr: float
    decay: float
    patience: int
    every: int
    average: float
    seed: int


@dataclass
class State:
    """All that a checkpoint keeps beside the tables."""

    best: dict[str, npt.NDArray[Any]]
    epoch: int = 0
    best_epoch: int = 0
    best_mrr: float = -1.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    mean: dict[str, Tensor] = field(default_factory=dict)

    def average(self, tables: dict[str, Tensor], share: float) -> None:
        """Let the tables of another epoch into their mean; of the first epochs it is even.

        Parameters
        ----------
        share
            Of the mean before, in the new one; 0: the mean is the tables themselves.
        """
        if not share:
            self.mean = tables
            return
        share = min(share, self.epoch / (self.epoch + 1))
        for name, table in tables.items():
            before = self.mean.get(name)
            self.mean[name] = table.clone() if before is None else before.lerp_(table, 1 - share)

    def keep(self) -> None:
        """Keep the mean as the best vectors so far."""
        self.best = {name: table.cpu().numpy().copy() for name, table in self.mean.items()}

    def plain(self) -> dict[str, Any]:
        """Return what of a checkpoint is JSON."""
        names = ("epoch", "best_epoch", "best_mrr", "seconds", "history")
        return {name: getattr(self, name) for name in names}


def ending(state: State, schedule: Schedule, time_budget: float | None) -> str:
    """Why training ends here: "epochs", "patience", "time budget", or "" where it goes on."""
    if state.epoch >= schedule.epochs:
        return "epochs"
    if state.best_epoch and state.epoch - state.best_epoch >= schedule.patience:
        return "patience"
    last = float(state.history[-1]["seconds"]) if state.history else 0.0
    late = time_budget is not None and state.seconds + last > time_budget
    return "time budget" if late and state.history else ""


def train(
    objective: Objective,
    queries: GroupedQueries,
    state: State,
    schedule: Schedule,
    ledger: Cost,
    validate: Callable[[dict[str, Tensor]], dict[str, float]] | None,
    *,
    run: RunFolder | None,
    time_budget: float | None,
    quiet: bool,
) -> str:
    """Train until a limit is reached; returns which.

    Parameters
    ----------
    validate
        Measures tables; None where there are no validation facts: the last epoch then counts as
        the best.

    Raises
    ------
    TrainingDiverged
        The loss is not finite.
    """
    saved = time.perf_counter()
    while not (end := ending(state, schedule, time_budget)):
        begin = time.perf_counter()
        epoch = state.epoch + 1
        lr = schedule.lr * schedule.decay ** (epoch - 1)
        flops = objective.flops
        loss = _epoch(objective, queries, schedule, epoch, lr, quiet)
        record: dict[str, Any] = {"epoch": epoch, "loss": loss / len(queries.answer), "lr": lr}
        record["train_seconds"] = time.perf_counter() - begin
        state.average(_tables(objective), schedule.average)
        looked = epoch % schedule.every == 0 or epoch == schedule.epochs
        if validate is None:
            state.best_epoch = epoch
            state.keep()
        elif looked:
            metrics = validate(state.mean)
            record |= {"valid_mrr": metrics["mrr"], "valid_hits@1": metrics["hits@1"]}
            if not state.best_epoch or metrics["mrr"] > state.best_mrr:
                state.best_epoch, state.best_mrr = epoch, metrics["mrr"]
                state.keep()
        record["seconds"] = time.perf_counter() - begin
        state.history.append(record)
        state.epoch = epoch
        state.seconds += record["seconds"]
        ledger.add(flops=objective.flops - flops)
        if run is not None:
            run.log(**record)
            late = time.perf_counter() - saved > BETWEEN_CHECKPOINTS
            if late or ending(state, schedule, time_budget):
                save_checkpoint(run, objective, state, ledger)
                saved = time.perf_counter()
    if not state.best_epoch:  # the budget ended before the first look
        state.best_epoch, state.mean = state.epoch, state.mean or _tables(objective)
        state.keep()
    return end


def _epoch(
    objective: Objective,
    queries: GroupedQueries,
    schedule: Schedule,
    epoch: int,
    lr: float,
    quiet: bool,
) -> float:
    """Ask every query once; returns the summed loss of all answers."""
    random = rng(schedule.seed, "epoch", epoch)
    device = objective.entity.weight.device
    noise = torch.Generator(device).manual_seed(int(random.integers(2**62)))
    order = random.permutation(len(queries))
    loss, answers = 0.0, 0
    with Progress(len(order), f"epoch {epoch}", quiet=quiet) as progress:
        for at in range(0, len(order), schedule.batch):
            batch = queries.batch(order[at : at + schedule.batch], schedule.negatives, random)
            loss += objective.step(batch, lr, noise)
            if not np.isfinite(loss):
                raise TrainingDiverged(
                    f"the loss became {loss} in epoch {epoch}",
                    remedy="lower lr (--set lr=…) and resume",
                )
            answers += len(batch.answer)
            progress.advance(len(batch.entity), loss=loss / answers)
    return loss


def _tables(objective: Objective) -> dict[str, Tensor]:
    return {"entity": objective.entity.weight, "relation": objective.relation.weight}


def save_checkpoint(run: RunFolder, objective: Objective, state: State, ledger: Cost) -> None:
    """Write both tables, their optimiser state and mean, and the best vectors so far."""
    tables = {"entity": objective.entity, "relation": objective.relation}
    tensors = {f"{name}.weight": t.weight.cpu().numpy() for name, t in tables.items()}
    tensors |= {f"{name}.state": t.state.cpu().numpy() for name, t in tables.items()}
    tensors |= {
        f"{name}.mean": mean.cpu().numpy()
        for name, mean in state.mean.items()
        if mean is not tables[name].weight
    }
    tensors |= {f"{name}.best": array for name, array in state.best.items()}
    run.save_checkpoint(state.plain() | {"ledger": ledger.as_dict()}, tensors)
