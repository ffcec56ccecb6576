"""Meta-training: a network learns, over training tasks, to adapt to a support by one pass.

Every step draws some training tasks and a number of shots; of each task a support and queries, half
of them active. The task's own column of the profile is hidden. What is kept is the state that
scores best on the validation tasks.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony.errors import InvalidParameter, TrainingDiverged
from parsimony.molecules.episodes import training_episode
from parsimony.molecules.estimator import Adapted, FloatArray, IntArray
from parsimony.molecules.meta.encoded import EncodedFewShot, EncodedParameters
from parsimony.molecules.meta.inputs import Inputs, Represented
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.torch_state import moments, part, restore_moments

__all__ = ["Episodes", "MetaNetwork", "MetaParameters", "MetaTrained"]

CHUNK = 1024  # queries scored at once
LOOK = 3  # episodes of every validation task that a state is judged by


class MetaParameters(EncodedParameters):
    """Parameters of meta-training."""

    steps: int = Field(1000, ge=0, le=4000, description="most meta-steps, 0 … 4,000")
    tasks: int = Field(4, ge=1, description="tasks a step, ≥ 1; published 9")
    queries: int = Field(32, ge=2, description="queries a task and step, ≥ 2; published 16")
    lr: float = Field(1e-3, gt=0, description="first learning rate of AdamW, > 0; it falls to 0")
    weight_decay: float = Field(1e-3, ge=0, description="weight decay of AdamW, ≥ 0")
    every: int = Field(100, ge=1, description="steps between two looks at validation, ≥ 1")
    patience: int = Field(6, ge=1, description="looks without improvement before stopping, ≥ 1")
    hidden_dropout: float = Field(0.2, ge=0, lt=1, description="dropout of inputs, [0, 1)")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


class Episodes(NamedTuple):
    """Training episodes of T tasks, with the same number of shots.

    Attributes
    ----------
    support, queries
    labels, answers : (T, n), 0 or 1
    """

    support: Inputs
    labels: Tensor
    queries: Inputs
    answers: Tensor


class MetaNetwork(nn.Module, ABC):
    """A network that adapts: what a method of this kind has to implement."""

    @abstractmethod
    def loss(self, episodes: Episodes) -> Tensor:
        """Return the loss of a step."""

    @abstractmethod
    def adapt(self, support: Inputs, labels: Tensor) -> Any:
        """Return what scoring needs of a support, for one task."""

    @abstractmethod
    def score(self, state: Any, queries: Inputs) -> tuple[Tensor, Tensor | None]:
        """Score queries (1, n): scores (n,), and the weights (n, S) of the supports."""

    @abstractmethod
    def adapted_parameters(self, state: Any) -> int:
        """Count the numbers that belong to one task."""


class MetaTrained(EncodedFewShot):
    """Train ``_network`` on episodes."""

    _network: MetaNetwork
    #: called after every look at validation, with this estimator; it can watch, not choose
    on_look: Callable[[Any], None] | None = None

    @abstractmethod
    def _build(self, columns: int) -> MetaNetwork:
        """Make the network for a profile of so many columns."""

    def _learn(
        self, *, run: RunFolder | None, time_budget: float | None, device: str, quiet: bool
    ) -> int:
        begin = time.perf_counter()
        represented = self._learn_representation(quiet)
        # Dropout draws from torch's global generator; the user's own stays as it is.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.resolved_.seed)
            self._network = self._build(len(self.task_.train_tasks))
            if len(self._drawable()):
                spent = time.perf_counter() - begin
                self._meta_train(run, time_budget, spent, quiet)
        self._network.eval()
        return represented + sum(w.numel() for w in self._network.parameters())

    def _drawable(self) -> list[int]:
        """Numbers of shots of which training tasks have enough molecules."""
        shots = self.task_.options.shots
        return [k for k in shots if len(self.task_.drawable("train", k))]

    def _meta_train(
        self, run: RunFolder | None, time_budget: float | None, spent: float, quiet: bool
    ) -> None:
        p = self.resolved_
        molecules = self._molecules().narrow(len(self.task_.train_tasks))
        optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=p.lr, weight_decay=p.weight_decay
        )
        best, best_score, seconds = self._state(), -1.0, spent
        if run is not None and (kept := run.load_checkpoint()) is not None:
            plain, tensors = kept
            self.history_, best_score = plain["history"], plain["best"]
            self.best_epoch_, seconds = plain["best_step"], plain["seconds"]
            self._network.load_state_dict(part(tensors, "current."))
            best = part(tensors, "best.")
            restore_moments(optimizer, tensors)
        else:
            best_score = self._look(0, 0.0, time.perf_counter())
        while not self._ending(seconds, time_budget):
            begin = time.perf_counter()
            first = self.history_[-1]["epoch"] + 1
            last = min(first + p.every - 1, p.steps)
            loss = self._steps(first, last, optimizer, molecules, quiet)
            score = self._look(last, loss, begin)
            seconds += self.history_[-1]["seconds"]
            if score > best_score:
                best, best_score, self.best_epoch_ = self._state(), score, last
            if run is not None:
                run.log(**self.history_[-1])
                state = {"current": self._state(), "best": best}
                named = {f"{k}.{n}": v.numpy() for k, s in state.items() for n, v in s.items()}
                plain = {
                    "history": self.history_, "best": best_score, "best_step": self.best_epoch_,
                    "seconds": seconds, "ledger": self.cost_.as_dict(),
                }  # fmt: skip
                run.save_checkpoint(plain, named | moments(optimizer))
        self.ended_ = self._ending(seconds, time_budget)
        self._network.load_state_dict(best)

    def _steps(
        self, first: int, last: int, optimizer: torch.optim.Optimizer, molecules: Represented,
        quiet: bool,
    ) -> float:  # fmt: skip
        p, total = self.resolved_, 0.0
        self._network.train()
        with Progress(last - first + 1, f"steps {first}–{last}/{p.steps}", quiet=quiet) as progress:
            for step in range(first, last + 1):
                drawn = rng(p.seed, "meta-step", step)
                torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
                for group in optimizer.param_groups:
                    group["lr"] = p.lr * (1 - (step - 1) / p.steps)
                loss = self._network.loss(self._draw(molecules, drawn))
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
                optimizer.step()
                total += float(loss.detach())
                progress.advance(1, loss=total / (step - first + 1))
        if not np.isfinite(total):
            raise TrainingDiverged(
                f"the loss became {total} by step {last}",
                remedy="lower lr (--set lr=…) and resume",
            )
        return total / (last - first + 1)

    def _look(self, step: int, loss: float, begin: float) -> float:
        """Measure on validation; add to the history."""
        self._network.eval()
        score = self.validate(episodes=LOOK, seed=self.resolved_.seed, fresh=False)
        seconds = time.perf_counter() - begin
        self.history_.append(
            {"epoch": step, "loss": loss, "valid_roc_auc": score, "seconds": seconds}
        )
        if self.on_look is not None:
            self.on_look(self)
        return score if self.task_.has("valid") else float(step)

    def _ending(self, seconds: float, time_budget: float | None) -> str:
        p, step = self.resolved_, self.history_[-1]["epoch"]
        if step >= p.steps:
            return "epochs"
        if step - self.best_epoch_ >= p.patience * p.every:
            return "patience"
        late = time_budget is not None and seconds + self.history_[-1]["seconds"] > time_budget
        return "time budget" if late else ""

    def _draw(self, molecules: Represented, drawn: np.random.Generator) -> Episodes:
        """Draw tasks and, of each, a support and balanced queries."""
        p, task = self.resolved_, self.task_
        shots = int(drawn.choice(self._drawable()))
        columns = {int(t): i for i, t in enumerate(task.train_tasks)}
        half = max(p.queries // 2, 1)
        rows, labels, asked, answers, hidden = [], [], [], [], []
        for column in drawn.choice(task.drawable("train", shots), p.tasks).tolist():
            episode = training_episode(
                task, shots, 2 * half, drawn, column=int(column), balanced=True
            )
            rows.append(episode.support)
            labels.append(episode.labels)
            # A class with few molecules is asked several times.
            chosen = [np.resize(np.flatnonzero(episode.answers == label), half) for label in (0, 1)]
            queries = np.concatenate(chosen)
            asked.append(episode.queries[queries])
            answers.append(episode.answers[queries])
            hidden.append(columns[int(column)])
        own = np.array(hidden)
        return Episodes(
            molecules.inputs(np.stack(rows), own), _tensor(labels),
            molecules.inputs(np.stack(asked), own), _tensor(answers),
        )  # fmt: skip

    # ---- adapting ----------------------------------------------------------------------------

    def _adapt(
        self, represented: Represented, support: IntArray, labels: npt.NDArray[np.int8]
    ) -> Adapted:
        if len(np.unique(labels)) < 2:
            raise InvalidParameter("a support needs molecules of either class")
        return _AdaptedNetwork(self._network, represented, support, labels)

    # ---- persistence -------------------------------------------------------------------------

    def _state(self) -> dict[str, Tensor]:
        return {k: v.detach().clone() for k, v in self._network.state_dict().items()}

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        network = {f"network.{k}": v.numpy() for k, v in self._network.state_dict().items()}
        return self._representation_tensors() | network

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._restore_representation(tensors)
        self._network = self._build(len(self.task_.train_tasks))
        self._network.load_state_dict(part(tensors, "network."))
        self._network.eval()


class _AdaptedNetwork(Adapted):
    """A network that has seen a support."""

    def __init__(
        self, network: MetaNetwork, molecules: Represented, support: IntArray,
        labels: npt.NDArray[np.int8],
    ) -> None:  # fmt: skip
        self.network, self.molecules = network, molecules
        self.state = network.adapt(
            molecules.inputs(support[None]), torch.from_numpy(labels.astype(np.float32))[None]
        )
        self.parameters = network.adapted_parameters(self.state)

    @torch.no_grad()
    def _all(self, molecules: IntArray) -> list[tuple[Tensor, Tensor | None]]:
        return [
            self.network.score(self.state, self.molecules.inputs(molecules[None, at : at + CHUNK]))
            for at in range(0, len(molecules), CHUNK)
        ]

    def score(self, molecules: IntArray) -> FloatArray:
        """Scores of molecules."""
        return cast(FloatArray, torch.cat([s for s, _ in self._all(molecules)]).numpy())

    def weights(self, molecules: IntArray) -> FloatArray | None:
        """Weights of the supports."""
        parts: Sequence[Tensor | None] = [w for _, w in self._all(molecules)]
        found = [w for w in parts if w is not None]
        return cast(FloatArray, torch.cat(found).numpy()) if found else None


def _tensor(parts: list[npt.NDArray[np.int8]]) -> Tensor:
    return torch.from_numpy(np.stack(parts).astype(np.float32))
