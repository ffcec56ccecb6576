"""Method "mlp": both drugs' fingerprints through one hidden layer, with dropout.

logits = W₂ drop(ReLU(W₁ drop([f_u; f_v]) + b₁)) + b₂. Dropout on the bits keeps the network from
learning single molecules by heart; the epoch is selected on the whole of validation.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from parsimony import base
from parsimony.datasets.fingerprints import BITS
from parsimony.errors import TrainingDiverged
from parsimony.measure import Ledger
from parsimony.measure.classification import METRICS, classification_metrics
from parsimony.pairs.pair_estimator import FloatArray, IntArray, PairEstimator
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.tasks.ddi import DDITask

CHUNK = 4096  # pairs scored at once


class MLPParameters(base.Parameters):
    """Parameters of the fingerprint network."""

    hidden: int = Field(256, ge=1, le=4096, description="hidden units, 1 … 4096")
    input_dropout: float = Field(0.3, ge=0, lt=1, description="dropout of the bits, [0, 1)")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of the hidden layer, [0, 1)")
    lr: float = Field(1e-3, gt=0, description="learning rate of Adam, > 0")
    decay: float = Field(0.93, gt=0, le=1, description="learning-rate factor an epoch, in (0, 1]")
    batch: int = Field(256, ge=1, description="pairs a step, ≥ 1")
    epochs: int = Field(30, ge=1, description="most epochs, ≥ 1")
    patience: int = Field(8, ge=1, description="epochs without improvement before stopping, ≥ 1")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


class MLP(PairEstimator):
    """A network of one hidden layer over the fingerprints of both drugs."""

    method: ClassVar[str] = "mlp"
    Parameters: ClassVar[type[base.Parameters]] = MLPParameters
    structural = True

    def fit(
        self,
        task: DDITask,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | None = None,
        quiet: bool = True,
        **_: Any,
    ) -> MLP:
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
            return self._train(task, run, epochs, time_budget, quiet)

    def _train(
        self,
        task: DDITask,
        run: RunFolder | None,
        epochs: int | None,
        time_budget: float | None,
        quiet: bool,
    ) -> MLP:
        self._begin(task, parameters=0, epochs=epochs)
        p, n_types = self.resolved_, task.data.n_types
        self._build(n_types)
        self.parameters_count_ = sum(w.numel() for w in self._network.parameters())
        self.ledger_.parameters = self.parameters_count_
        generator = torch.Generator().manual_seed(p.seed)
        with torch.no_grad():
            for weight in self._network.parameters():
                if weight.dim() == 2:
                    nn.init.xavier_uniform_(weight, generator=generator)
                else:
                    weight.zero_()
        optimizer = torch.optim.Adam(self._network.parameters(), lr=p.lr)
        best = self._tensors()
        best_f1, seconds = -1.0, 0.0
        checkpoint = None if run is None else run.load_checkpoint()
        if checkpoint is not None:
            plain, tensors = checkpoint
            self.history_, best_f1, seconds = plain["history"], plain["best"], plain["seconds"]
            self.best_epoch_ = plain["best_epoch"]
            optimizer.load_state_dict(_optimizer_state(optimizer, tensors, plain["steps"]))
            self._restore({k[8:]: v for k, v in tensors.items() if k.startswith("current.")})
            best = {k[5:]: v.copy() for k, v in tensors.items() if k.startswith("best.")}
            self.ledger_ = Ledger(self.parameters_count_, task.n_labels, plain["ledger"])
        rows = task.pairs("train")
        valid = task.pairs("valid") if task.has("valid") else None
        bits = torch.from_numpy(self.fingerprints_)
        while not (end := self._ending(seconds, time_budget)):
            begin = time.perf_counter()
            epoch = len(self.history_) + 1
            drawn = rng(p.seed, "epoch", epoch)
            torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
            for group in optimizer.param_groups:
                group["lr"] = p.lr * p.decay ** (epoch - 1)
            order = drawn.permutation(len(rows))
            total = 0.0
            self._network.train()
            with Progress(len(rows), f"epoch {epoch}/{p.epochs}", quiet=quiet) as progress:
                for at in range(0, len(rows), p.batch):
                    part = torch.from_numpy(rows[order[at : at + p.batch]].astype(np.int64))
                    logits = self._network(_inputs(bits, part[:, 0], part[:, 2]))
                    loss = F.cross_entropy(logits, part[:, 1])
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    total += float(loss.detach()) * len(part)
                    progress.advance(len(part), loss=total / (at + len(part)))
            if not np.isfinite(total):
                raise TrainingDiverged(
                    f"the loss became {total} in epoch {epoch}",
                    remedy="lower lr (--set lr=…) and resume",
                )
            record: dict[str, Any] = {"epoch": epoch, "loss": total / len(rows)}
            score = -record["loss"]
            if valid is not None:
                guess = self.score(valid[:, [0, 2]], "valid").argmax(1)
                found = classification_metrics(valid[:, 1], guess, n_types)
                record |= {f"valid_{name}": found[name] for name in METRICS}
                score = found["macro_f1"]
            if not self.history_ or score > best_f1:
                best, best_f1, self.best_epoch_ = self._tensors(), score, epoch
            record["seconds"] = time.perf_counter() - begin
            seconds += record["seconds"]
            self.history_.append(record)
            self.ledger_.add(flops=6.0 * self.parameters_count_ * len(rows))
            if run is not None:
                run.log(**record)
                plain = {
                    "history": self.history_, "best": best_f1, "best_epoch": self.best_epoch_,
                    "seconds": seconds, "steps": _steps(optimizer),
                    "ledger": self.ledger_.as_dict(),
                }  # fmt: skip
                current = {f"current.{k}": v for k, v in self._tensors().items()}
                kept = {f"best.{k}": v for k, v in best.items()}
                run.save_checkpoint(plain, current | kept | _moments(optimizer))
        self.ended_, self.seconds_ = end, seconds
        self._restore(best)
        return self

    def _ending(self, seconds: float, time_budget: float | None) -> str:
        epochs = len(self.history_)
        if epochs >= self.resolved_.epochs:
            return "epochs"
        if epochs - self.best_epoch_ >= self.resolved_.patience:
            return "patience"
        last = self.history_[-1]["seconds"] if self.history_ else 0.0
        late = time_budget is not None and seconds + last > time_budget
        return "time budget" if late and epochs else ""

    def _build(self, n_types: int) -> None:
        p = self.resolved_
        self._network = nn.Sequential(
            nn.Dropout(p.input_dropout),
            nn.Linear(2 * BITS, p.hidden),
            nn.ReLU(),
            nn.Dropout(p.dropout),
            nn.Linear(p.hidden, n_types),
        )

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        bits = torch.from_numpy(np.ascontiguousarray(self.fingerprints_))
        rows = torch.from_numpy(pairs.astype(np.int64))
        self._network.eval()
        with torch.no_grad():
            parts = [
                self._network(_inputs(bits, part[:, 0], part[:, 1])).softmax(1)
                for part in torch.split(rows, CHUNK)
            ]
        probabilities: FloatArray = torch.cat(parts).numpy()
        return probabilities

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {name: w.numpy().copy() for name, w in self._network.state_dict().items()}

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        if not hasattr(self, "_network"):  # loaded from a run folder
            self._build(self.task_.data.n_types)
        names = self._network.state_dict()
        state = {name: torch.from_numpy(tensors[name].copy()) for name in names}
        self._network.load_state_dict(state)
        self.parameters_count_ = sum(w.numel() for w in self._network.parameters())


def _inputs(bits: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """[f_u; f_v]: (n, 2 · 1,024)."""
    return torch.cat([bits[first], bits[second]], 1).float()


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
