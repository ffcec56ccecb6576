"""What a method brings to the trainer, and how long it is to learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from parsimony.training.keeping import Keeping

__all__ = ["Learner", "Schedule", "Step"]


class Step(NamedTuple):
    """One update of the weights: its loss, summed over so many items."""

    loss: float
    items: int


@dataclass(frozen=True)
class Schedule:
    """How long to learn and when to look at validation.

    Attributes
    ----------
    epochs
        Most epochs.
    patience
        Epochs without a better validation before training ends; looks instead of epochs where
        ``validate_every`` names these.
    validate_every
        Epochs between two looks at validation; a sequence names the epochs themselves. The last
        epoch is always looked at.
    ema_decay
        Decay β of the exponential moving average of the weights, which then is what answers:
        w̄ ← β_t w̄ + (1 − β_t) w (Polyak and Juditsky, 1992), with β_t = min(β, (1 + t) / (10 + t))
        after the t-th step, or β_t = min(β, (t − 1) / t) after the t-th epoch where the average
        follows epochs. 0: the weights themselves answer.
    seed, stream
        All randomness of epoch n comes from (seed, *stream, n).
    stride
        Epochs that one call of :meth:`Learner.epoch` passes through: for methods that count steps.
    validate_first
        Whether to look at validation before the first epoch.
    """

    epochs: int
    patience: int | None = None
    validate_every: int | tuple[int, ...] = 1
    ema_decay: float = 0.0
    seed: int = 0
    stream: tuple[str, ...] = ("epoch",)
    stride: int = 1
    validate_first: bool = False

    def looks(self, epoch: int) -> bool:
        """Whether validation is looked at after an epoch."""
        every = self.validate_every
        due = epoch in every if isinstance(every, tuple) else epoch % every == 0
        return due or epoch >= self.epochs

    def waited(self, best: int, epoch: int) -> int:
        """How long validation has not been better, as ``patience`` counts it."""
        every = self.validate_every
        if isinstance(every, tuple):
            return sum(best < look <= epoch for look in every)
        return epoch - best


class Learner(ABC):
    """What a method brings to the trainer.

    Attributes
    ----------
    flops
        Floating-point operations done so far.
    average_each
        "step" or "epoch": after which updates the moving average follows.
    between_checkpoints
        Seconds at least between two checkpoints; the last epoch always writes one.
    progress
        How much of the training is over, in [0, 1]: of its epochs or of its time budget, whichever
        is more. The trainer sets it before every step.
    n_queries
        Of validation, where :meth:`ask` can choose some of them; else 0.
    queries_at_once
        How many of them tell how long one takes.
    """

    flops: float = 0.0
    average_each: str = "step"
    between_checkpoints: float = 0.0
    progress: float = 0.0
    n_queries: int = 0
    queries_at_once: int = 64

    @abstractmethod
    def epoch(self, number: int, drawn: np.random.Generator) -> tuple[int, Iterator[Step]]:
        """Draw an epoch: how many items it asks, and its steps, each taken when it is yielded."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """The live tensors that are trained, and averaged."""

    @abstractmethod
    def optimizer_state(self) -> dict[str, Tensor]:
        """What the optimiser remembers, by name (:mod:`parsimony.training.optimizer`)."""

    @abstractmethod
    def restore_optimizer(self, state: dict[str, Tensor]) -> None:
        """Give the optimiser what :meth:`optimizer_state` returned."""

    def state(self) -> dict[str, Tensor]:
        """All live tensors of the model: the weights, and buffers where there are any."""
        return self.weights()

    def validate(self) -> dict[str, float]:
        """Measure the model as it stands on validation; the first measure chooses the epoch.

        Nothing where there is no validation, or it is undefined: then the last epoch answers.
        """
        return {}

    def ask(self, rows: npt.NDArray[np.integer[Any]] | None) -> None:  # noqa: B027
        """Let :meth:`validate` ask these of the ``n_queries`` alone; None: all."""

    def keeping(self, *, averaged: bool) -> Keeping:
        """What keeps the tensors' moving average and the best of them, and writes checkpoints."""
        return Keeping(self, averaged=averaged)

    def unchanged(self) -> AbstractContextManager[None]:
        """Give the model and the optimiser their tensors back when the block ends."""
        return Keeping(self, averaged=False).unchanged()

    def parts(self) -> dict[str, float]:
        """What the record of an epoch holds beside its loss: the losses that it is made of."""
        return {}

    def warm_up(self) -> None:  # noqa: B027
        """Compile what the first step would compile; it must leave the model as it was."""

    def lr(self, number: int) -> float | None:
        """The learning rate of an epoch, where it has one."""
        return None
