"""One training loop for the reasoners: validation-selected epoch, checkpoints, resume.

All randomness of an epoch comes from (seed, epoch), so that a resumed run walks the same path as
an uninterrupted one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.errors import TrainingDiverged
from parsimony.link.reasoning.sharding import Engine
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import Filter, LinkTask, both_directions
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.int32]


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
    average: float = 0.0
    unreached: float = 0.0
    seed: int = 0


@dataclass
class State:
    """All that a checkpoint keeps."""

    weights: Weights
    average: npt.NDArray[Any]
    best: npt.NDArray[Any]
    first_moment: npt.NDArray[Any]
    second_moment: npt.NDArray[Any]
    steps: int = 0
    epoch: int = 0
    best_epoch: int = 0
    best_mrr: float = -1.0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a checkpoint."""
        return {
            "weights": self.weights.flat,
            "average": self.average,
            "best": self.best,
            "first_moment": self.first_moment,
            "second_moment": self.second_moment,
        }

    def plain(self) -> dict[str, Any]:
        """Return what of a checkpoint is JSON."""
        names = ("steps", "epoch", "best_epoch", "best_mrr", "seconds", "history")
        return {name: getattr(self, name) for name in names}


def ending(state: State, schedule: Schedule, time_budget: float | None) -> str:
    """Why training ends here: "epochs", "patience", "time budget", or "" where it goes on.

    Nothing of it is stored: with larger limits a checkpoint goes on.
    """
    if state.epoch >= schedule.epochs:
        return "epochs"
    if state.epoch - state.best_epoch >= schedule.patience:
        return "patience"
    last = float(state.history[-1]["seconds"]) if state.history else 0.0
    late = time_budget is not None and state.seconds + last > time_budget
    return "time budget" if late and state.history else ""


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
    ledger: Cost,
    *,
    run: RunFolder | None = None,
    time_budget: float | None = None,
    quiet: bool = True,
) -> str:
    """Train until the epochs, the budget or the patience end, and return which did.

    What is validated and kept is the running average of the weights, ā ← β ā + (1 − β) w after
    every step (Polyak and Juditsky); β = 0 keeps the weights themselves. ``state.best`` holds the
    winner. An epoch that would not fit the budget, judged by the one
    before it, is not begun; the first always is.

    Raises
    ------
    TrainingDiverged
        The loss or a weight is not finite.
    """
    gradients = [Weights(state.weights.shapes) for _ in engine.shards]
    optimizer = Adam(state, schedule)
    averaged = Weights(state.weights.shapes, state.average)
    mean = torch.from_numpy(state.average)
    has_valid = bool(len(task.data.valid)) if not task.inductive else True
    valid = task.queries("valid") if has_valid else None
    known = task.training_answers if schedule.mask_answers else None
    warm = False
    while not (end := ending(state, schedule, time_budget)):
        if not warm:
            warm_up(task, engine, state.weights, gradients, known, quiet=quiet)
            warm = True
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
                loss += engine.step(state.weights, gradients, batch, active, base + number, known)
                if not np.isfinite(loss):
                    raise TrainingDiverged(
                        f"the loss became {loss} in epoch {epoch}, step {number + 1}",
                        remedy="lower lr (--set lr=…) and resume",
                    )
                optimizer.step(gradients[0].flat, lr)
                mean.lerp_(optimizer.weight, 1 - schedule.average)
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
                    averaged, valid, schedule.eval_batch,
                    unreached=schedule.unreached, progress=progress,
                )  # fmt: skip
            metrics = ranks.metrics("realistic")
            mrr = metrics["mrr"]
            record |= {"valid_mrr": mrr, "valid_hits@1": metrics["hits@1"]}
        if state.best_epoch == 0 or mrr > state.best_mrr:
            state.best_epoch, state.best_mrr = epoch, float(mrr)
            state.best = state.average.copy()
        seconds = time.perf_counter() - begin
        record |= {"train_seconds": trained, "seconds": seconds}
        state.history.append(record)
        state.epoch = epoch
        state.seconds += seconds
        ledger.add(flops=engine.flops - flops)
        if run is not None:
            run.log(**record)
            run.save_checkpoint(state.plain() | {"ledger": ledger.as_dict()}, state.tensors())
    return end


def warm_up(
    task: LinkTask,
    engine: Engine,
    weights: Weights,
    gradients: list[Weights],
    known: Filter | None,
    *,
    quiet: bool,
) -> None:
    """Compile the kernels, or read them from their cache, before the clock of an epoch runs.

    The cheapest query is asked and its gradient thrown away.
    """
    facts = task.train_graph.triples
    cheapest = facts[np.argmin(engine.reach[facts[:, 0]])][None]
    active = np.ones(len(facts), np.uint8)
    with Progress(1, "preparing kernels", quiet=quiet) as progress:
        engine.step(weights, gradients, cheapest, active, 0, known)
        progress.advance(1)
