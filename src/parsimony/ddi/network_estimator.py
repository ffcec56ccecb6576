"""Networks over drug pairs: their parameters, and what they bring to the trainer."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony.base import Fitting, Parameters, tuned, tuned_among
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator, Tensors
from parsimony.run.restoring import require_tensors
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done
from parsimony.training.network import NetworkLearner
from parsimony.training.trainer import Schedule, Step

Losses = Iterator[tuple[Tensor, int]]


class NetworkParameters(Parameters):
    """Parameters of the training."""

    lr: float = Field(
        1e-3, gt=0, le=10, description="learning rate of Adam, (0, 10]",
        json_schema_extra=tuned(3e-4, 0.01, log=True),
    )  # fmt: skip
    decay: float = Field(0.93, gt=0, le=1, description="learning-rate decay per epoch, (0, 1]")
    weight_decay: float = Field(
        0.0, ge=0, le=10, description="L2 penalty of Adam, 0 … 10",
        json_schema_extra=tuned(1e-8, 1e-3, log=True, zero=True),
    )  # fmt: skip
    batch: int = Field(
        256, ge=1, le=10**6, description="pairs per step, 1 … 1,000,000",
        json_schema_extra=tuned_among(32, 64, 128, 256),
    )  # fmt: skip
    epochs: int = Field(30, ge=1, le=10**6, description="most epochs, 1 … 1,000,000")
    patience: int = Field(8, ge=1, description="epochs without improvement before stopping, ≥ 1")
    validate_every: int = Field(1, ge=1, description="epochs between two validations, ≥ 1")
    ema_decay: float = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of the weights, 0 for none, "
        "[0, 1)",
    )  # fmt: skip
    seed: int = Field(0, ge=0, lt=2**63, description="seed of all randomness, ≥ 0")


NetworkParametersT = TypeVar("NetworkParametersT", bound=NetworkParameters)


class PairNetworkEstimator(PairEstimator[NetworkParametersT]):
    """Train a network on the losses that a method's ``_losses`` yields."""

    multilabel = True
    _network: nn.Module

    @abstractmethod
    def _build(self, generator: torch.Generator | None = None) -> None:
        """Make ``_network`` and what it reads; with a generator, initialise it."""

    @abstractmethod
    def _losses(self, drawn: np.random.Generator) -> tuple[int, Losses]:
        """Draw an epoch: how many pairs it asks, and the mean loss and size of every batch."""

    # ---- training ----------------------------------------------------------------------------

    def _learn(self, fitting: Fitting) -> None:
        p = self.resolved_
        self._make(torch.Generator().manual_seed(p.seed))
        schedule = Schedule(
            p.epochs, p.patience, p.validate_every, ema_decay=p.ema_decay, seed=p.seed
        )
        learner = PairLearner(self, p.lr, p.decay, p.weight_decay, p.seed)
        self._train(learner, schedule, fitting, spent=time.perf_counter() - self._began)

    def _make(self, generator: torch.Generator | None = None) -> None:
        with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws, too
            self._build(generator)
        self.parameters_count_ = sum(w.numel() for w in self._network.parameters())

    # ---- answering ---------------------------------------------------------------------------

    def _answered(
        self, logits: Callable[[IntArray, slice], Tensor], pairs: IntArray, chunk: int
    ) -> FloatArray:
        """Probabilities of pairs; where these have no order, the logits of both are averaged.

        Parameters
        ----------
        logits
            Of some ordered pairs; also told where these stand in ``pairs``.
        chunk
            Pairs scored at once.
        """
        labelling, parts = self.task_.labelling, []
        self._network.eval()
        with torch.no_grad():
            for at in range(0, max(len(pairs), 1), chunk):
                step_done()
                part = slice(at, at + chunk)
                found = logits(pairs[part], part)
                if labelling.multi:
                    turned = np.ascontiguousarray(pairs[part, ::-1])
                    found = (found + logits(turned, part)) / 2
                parts.append(labelling.probabilities(found))
        probabilities: FloatArray = torch.cat(parts).numpy()
        return probabilities

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> Tensors:
        return {name: w.numpy().copy() for name, w in self._network.state_dict().items()}

    def _rebuild(self, tensors: Tensors) -> None:
        self._make()
        names = self._network.state_dict()
        require_tensors(tensors, {name: tuple(w.shape) for name, w in names.items()}, "fi")
        self._network.load_state_dict(
            {name: torch.from_numpy(tensors[name].copy()) for name in names}
        )


class PairLearner(NetworkLearner):
    """A method's network, trained by Adam on pairs that are drawn anew for every epoch."""

    counts = True

    def __init__(
        self,
        method: PairNetworkEstimator[Any],
        lr: float,
        decay: float,
        weight_decay: float,
        seed: int,
    ) -> None:
        network = method._network
        adam = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=weight_decay)
        super().__init__(network, adam)
        self._method, self._lr, self._decay, self._seed = method, lr, decay, seed

    def losses(self, number: int, drawn: np.random.Generator) -> tuple[int, Losses]:
        """Draw the pairs of an epoch."""
        return self._method._losses(drawn)

    def update(self, loss: Tensor, size: int) -> Step:
        """Take a step; 2 operations forward and 4 backward per weight and pair."""
        self.flops += 6.0 * self._method.parameters_count_ * size
        return super().update(loss, size)

    def lr(self, number: int) -> float:
        """The learning rate decays with every epoch."""
        return self._lr * self._decay ** (number - 1)

    def warm_up(self) -> None:
        """Compile the kernels before the clock of an epoch runs: a batch that teaches nothing."""
        _, losses = self._method._losses(rng(self._seed, "warm up"))
        self.network.train()
        for loss, _ in itertools.islice(losses, 1):  # an epoch may have drawn no target
            loss.backward()
        self.network.zero_grad()

    def validate(self) -> dict[str, float]:
        """Measure on the whole of validation; the first measure is the labelling's primary one."""
        task = self._method.task_
        if not task.has("valid"):
            return {}
        targets = task.targets("valid")
        return targets.metrics(self._method.predict_proba(targets.queries, "valid"))


def batches(n: int, size: int, drawn: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Yield random batches of the rows 0 … n − 1."""
    order = drawn.permutation(n)
    for at in range(0, n, size):
        yield order[at : at + size]
