"""Networks over drug pairs: epochs of Adam, selected on validation, resumed from checkpoints."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony import base
from parsimony.ddi.estimator import IntArray, PairEstimator
from parsimony.ddi.task import DDITask
from parsimony.errors import TrainingDiverged
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

Losses = Iterator[tuple[Tensor, int]]


class TrainedParameters(base.Parameters):
    """Parameters of the training."""

    lr: float = Field(1e-3, gt=0, description="learning rate of Adam, > 0")
    decay: float = Field(0.93, gt=0, le=1, description="learning-rate factor an epoch, in (0, 1]")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty of Adam, ≥ 0")
    batch: int = Field(256, ge=1, description="pairs a step, ≥ 1")
    epochs: int = Field(30, ge=1, description="most epochs, ≥ 1")
    patience: int = Field(8, ge=1, description="epochs without improvement before stopping, ≥ 1")
    every: int = Field(1, ge=1, description="epochs between two looks at validation, ≥ 1")
    average: float = Field(
        0.0, ge=0, lt=1, description="running average of the weights over steps, 0 for none, [0, 1)"
    )
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


class TrainedPairs(PairEstimator):
    """Train ``_network`` on the losses that a method's ``_epoch`` yields."""

    _network: nn.Module
    multilabel = True

    @abstractmethod
    def _build(self, generator: torch.Generator | None = None) -> None:
        """Make ``_network``; with a generator, initialise it."""

    @abstractmethod
    def _epoch(self, drawn: np.random.Generator) -> tuple[int, Losses]:
        """Draw an epoch: how many pairs are asked, and the loss and size of every batch."""

    def _prepare_training(self) -> None:
        """Make what every epoch needs."""

    def _flops(self, n: int) -> float:
        """Floating-point operations of training on n pairs: 2 forward and 4 backward a weight."""
        return 6.0 * self.parameters_count_ * n

    def fit(
        self,
        task: DDITask,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | None = None,
        quiet: bool = True,
        **_: Any,
    ) -> Self:
        """Train; with a run folder, checkpointed every epoch and resumed from there.

        Raises
        ------
        TrainingDiverged
            The loss is not finite.
        FormatError, MissingExtra
            A SMILES that cannot be read, or no RDKit.
        """
        # Dropout draws from torch's global generator; the user's own stays as it is.
        with torch.random.fork_rng(devices=[]):
            self._begin(task, parameters=0, epochs=epochs)
            self._build(torch.Generator().manual_seed(self.resolved_.seed))
            self._count()
            self._prepare_training()
            self._train(run, time_budget, quiet)
        return self

    def _count(self) -> None:
        self.parameters_count_ = sum(w.numel() for w in self._network.parameters())
        self.cost_.parameters = self.parameters_count_

    def _train(self, run: RunFolder | None, time_budget: float | None, quiet: bool) -> None:
        p, task = self.resolved_, self.task_
        optimizer = torch.optim.Adam(
            self._network.parameters(), lr=p.lr, weight_decay=p.weight_decay
        )
        self._mean: dict[str, Tensor] = {}
        best = self._tensors()
        best_score, seconds = -1.0, 0.0
        checkpoint = None if run is None else run.load_checkpoint()
        if checkpoint is not None:
            plain, tensors = checkpoint
            self.history_, best_score, seconds = plain["history"], plain["best"], plain["seconds"]
            self.best_epoch_ = plain["best_epoch"]
            optimizer.load_state_dict(_optimizer_state(optimizer, tensors, plain["steps"]))
            self._restore(_part(tensors, "current."))
            self._mean = {k: torch.from_numpy(v) for k, v in _part(tensors, "mean.").items()}
            best = _part(tensors, "best.")
            self.cost_ = Cost(self.parameters_count_, task.n_labels, plain["ledger"])
        warm = False
        while not (end := self._ending(seconds, time_budget)):
            if not warm:
                self._warm_up(quiet)
                warm = True
            begin = time.perf_counter()
            record = self._one_epoch(optimizer, quiet)
            epoch = record["epoch"]
            with self._averaged():
                score = -record["loss"]
                if task.has("valid"):
                    record |= self._look(epoch)
                    score = record.get(f"valid_{task.labelling.primary}", -np.inf)
                if not self.history_ or score > best_score:
                    best, best_score, self.best_epoch_ = self._tensors(), float(score), epoch
            record["seconds"] = time.perf_counter() - begin
            seconds += record["seconds"]
            self.history_.append(record)
            if run is not None:
                run.log(**record)
                plain = {
                    "history": self.history_, "best": best_score, "best_epoch": self.best_epoch_,
                    "seconds": seconds, "steps": _steps(optimizer),
                    "ledger": self.cost_.as_dict(),
                }  # fmt: skip
                state = {
                    "current": self._tensors(), "best": best,
                    "mean": {k: v.numpy() for k, v in self._mean.items()},
                }  # fmt: skip
                named = {f"{kind}.{k}": v for kind, part in state.items() for k, v in part.items()}
                run.save_checkpoint(plain, named | _moments(optimizer))
        self.ended_, self.seconds_ = end, seconds
        self._restore(best)

    def _warm_up(self, quiet: bool) -> None:
        """Compile the kernels before the clock of an epoch runs: a batch that teaches nothing."""
        before = self._tensors()
        with Progress(1, "preparing kernels", quiet=quiet) as progress:
            _, losses = self._epoch(rng(self.resolved_.seed, "warm up"))
            self._network.train()
            loss, _ = next(iter(losses))
            loss.backward()
            self._network.zero_grad()
            progress.advance(1)
        self._restore(before)

    def _one_epoch(self, optimizer: torch.optim.Optimizer, quiet: bool) -> dict[str, Any]:
        p = self.resolved_
        epoch = len(self.history_) + 1
        drawn = rng(p.seed, "epoch", epoch)
        torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
        for group in optimizer.param_groups:
            group["lr"] = p.lr * p.decay ** (epoch - 1)
        n, losses = self._epoch(drawn)
        total, done = 0.0, 0
        self._network.train()
        with Progress(n, f"epoch {epoch}/{p.epochs}", quiet=quiet) as progress:
            for loss, size in losses:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                self._follow(_steps(optimizer))
                total += float(loss.detach()) * size
                done += size
                progress.advance(size, loss=total / done)
        if not np.isfinite(total):
            raise TrainingDiverged(
                f"the loss became {total} in epoch {epoch}",
                remedy="lower lr (--set lr=…) and resume",
            )
        self.cost_.add(flops=self._flops(n))
        return {"epoch": epoch, "loss": total / max(done, 1)}

    def _look(self, epoch: int) -> dict[str, float]:
        """Measure on the whole of validation, where it is time."""
        p = self.resolved_
        if epoch % p.every and epoch < p.epochs:
            return {}
        asked = self.task_.asked("valid")
        found = asked.metrics(self.score(asked.questions, "valid"))
        return {f"valid_{name}": value for name, value in found.items()}

    def _answered(self, logits: Callable[[IntArray], Tensor], pairs: IntArray) -> Tensor:
        """Probabilities of pairs; of those without an order the logits of both are averaged."""
        labelling = self.task_.labelling
        found = logits(pairs)
        if labelling.multi:
            found = (found + logits(np.ascontiguousarray(pairs[:, ::-1]))) / 2
        return labelling.probabilities(found)

    def _ending(self, seconds: float, time_budget: float | None) -> str:
        epochs = len(self.history_)
        if epochs >= self.resolved_.epochs:
            return "epochs"
        if epochs - self.best_epoch_ >= self.resolved_.patience:
            return "patience"
        last = self.history_[-1]["seconds"] if self.history_ else 0.0
        late = time_budget is not None and seconds + last > time_budget
        return "time budget" if late and epochs else ""

    # ---- the running average -----------------------------------------------------------------

    def _follow(self, steps: int) -> None:
        """Move the running average towards the weights, faster in the first steps."""
        if not self.resolved_.average:
            return
        rate = 1 - min(self.resolved_.average, (1 + steps) / (10 + steps))
        for name, weight in self._network.named_parameters():
            if name not in self._mean:
                self._mean[name] = weight.detach().clone()
            else:
                self._mean[name].lerp_(weight.detach(), rate)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network stand at the running average meanwhile."""
        own = {name: w.detach().clone() for name, w in self._network.named_parameters()}
        self._set(self._mean)
        try:
            yield
        finally:
            self._set(own)

    def _set(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self._network.named_parameters():
                if name in values:
                    weight.copy_(values[name])

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {name: w.numpy().copy() for name, w in self._network.state_dict().items()}

    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._build()
        self._restore(tensors)

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        if not hasattr(self, "_network"):  # loaded from a run folder
            self._build()
        names = self._network.state_dict()
        state = {name: torch.from_numpy(tensors[name].copy()) for name in names}
        self._network.load_state_dict(state)
        self.parameters_count_ = sum(w.numel() for w in self._network.parameters())


def ordered(n: int, size: int, drawn: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Yield random batches of the rows 0 … n − 1."""
    order = drawn.permutation(n)
    for at in range(0, n, size):
        yield order[at : at + size]


def _part(tensors: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {k.removeprefix(prefix): v.copy() for k, v in tensors.items() if k.startswith(prefix)}


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, npt.NDArray[Any]]:
    return {
        f"{name}.{i}": entry[name].numpy().copy()
        for i, entry in optimizer.state_dict()["state"].items()
        for name in ("exp_avg", "exp_avg_sq")
    }


def _steps(optimizer: torch.optim.Optimizer) -> int:
    return int(optimizer.state_dict()["state"][0]["step"])


def _optimizer_state(
    optimizer: torch.optim.Optimizer, tensors: dict[str, npt.NDArray[Any]], steps: int
) -> dict[str, Any]:
    state = optimizer.state_dict()
    count = sum(len(group["params"]) for group in state["param_groups"])
    state["state"] = {
        i: {
            "step": torch.tensor(float(steps)),
            **{m: torch.from_numpy(tensors[f"{m}.{i}"].copy()) for m in ("exp_avg", "exp_avg_sq")},
        }
        for i in range(count)
    }
    return state
