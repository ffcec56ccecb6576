"""The tensors that a training keeps beside the live ones: their moving average, and the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from parsimony.run.folder import RunFolder

__all__ = ["Keeping", "Trained", "copy_into", "part", "require_same_form"]

Arrays = Mapping[str, npt.NDArray[Any]]


class Trained(Protocol):
    """Whoever has tensors that are trained; as of :class:`parsimony.training.learner.Learner`."""

    def weights(self) -> dict[str, Tensor]:
        """The trained tensors."""

    def state(self) -> dict[str, Tensor]:
        """All tensors of the model."""

    def optimizer_state(self) -> dict[str, Tensor]:
        """What the optimiser remembers."""

    def restore_optimizer(self, state: dict[str, Tensor]) -> None:
        """Give it back."""


class Keeping:
    """What a trainer does with a learner's tensors, which may lie elsewhere for some.

    Parameters
    ----------
    learner
        Whose tensors they are.
    averaged
        Whether a moving average of the weights is kept, which then is what answers.
    """

    def __init__(self, learner: Trained, *, averaged: bool) -> None:
        self.learner = learner
        # Without a moving average the mean is the weights themselves.
        self.mean = _copies(learner.weights()) if averaged else {}
        self.best: dict[str, Tensor] = {}

    def follow(self, part: float) -> None:
        """Move the average by a part of the way towards the weights."""
        with torch.no_grad():
            for name, weight in self.learner.weights().items() if self.mean else ():
                self.mean[name].lerp_(weight, part)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the model stand at the average meanwhile."""
        if not self.mean:
            yield
            return
        own = _copies(self.learner.weights())
        copy_into(self.learner.weights(), self.mean)
        try:
            yield
        finally:
            copy_into(self.learner.weights(), own)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Give the model and the optimiser their tensors back in the end."""
        state = _copies(self.learner.state())
        moments = _copies(self.learner.optimizer_state())
        try:
            yield
        finally:
            copy_into(self.learner.state(), state, checked=False)
            self.learner.restore_optimizer(moments)

    def keep_best(self) -> None:
        """Keep the model as it stands."""
        self.best = _copies(self.learner.state())

    def end(self) -> None:
        """Let the model stand at the best, or else at the last, as it would answer."""
        if self.best:
            copy_into(self.learner.state(), self.best)
        elif self.mean:
            copy_into(self.learner.weights(), self.mean)

    def infinite(self) -> str:
        """The name of a tensor of the model that holds NaN or infinity; "" where none does."""
        state = self.learner.state().items()
        return next((n for n, tensor in state if not bool(torch.isfinite(tensor).all())), "")

    # ---- checkpoints -------------------------------------------------------------------------

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """All tensors of a checkpoint, by what they are and by name."""
        return {
            "model": self.learner.state(),
            "optimizer": self.learner.optimizer_state(),
            "mean": self.mean,
            "best": self.best,
        }

    def save(self, run: RunFolder, plain: dict[str, Any], carried: Arrays) -> None:
        """Write a checkpoint: a state that is JSON, the tensors, and what else it is to carry."""
        tensors = {
            f"{part}.{name}": tensor.detach().cpu().numpy()
            for part, named in self.parts().items()
            for name, tensor in named.items()
        }
        run.save_checkpoint(plain, {**tensors, **carried})

    def take(self, tensors: Arrays) -> None:
        """Go on from a checkpoint's tensors; ValueError where they do not fit the learner."""
        learner = self.learner
        copy_into(learner.state(), part(tensors, "model."))
        moments = part(tensors, "optimizer.")
        require_same_form(learner.optimizer_state(), moments)  # torch's has none before a step
        learner.restore_optimizer(moments)
        if self.mean:
            copy_into(self.mean, part(tensors, "mean."))
        self.best = part(tensors, "best.")
        if self.best:
            require_same_form(learner.state(), self.best)


def part(tensors: Arrays, prefix: str) -> dict[str, Tensor]:
    """Copy the tensors whose names begin with ``prefix``, named without it."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in tensors.items()
        if name.startswith(prefix)
    }


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def copy_into(
    live: Mapping[str, Tensor], values: Mapping[str, Tensor], *, checked: bool = True
) -> None:
    """Copy tensors into live ones of the same names; ``checked`` as of the next function."""
    if checked:
        require_same_form(live, values)
    with torch.no_grad():
        for name, tensor in live.items():
            tensor.copy_(values[name])


def require_same_form(live: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Refuse other names or shapes, which torch would spread over the live ones, and NaN.

    Raises
    ------
    ValueError
        Names the tensor.
    """
    for name, tensor in live.items():
        if name not in values or values[name].shape != tensor.shape:
            raise ValueError(f"{name!r} is missing or of another shape than {tuple(tensor.shape)}")
        if not bool(torch.isfinite(values[name]).all()):
            raise ValueError(f"{name!r} holds a number that is not finite")
