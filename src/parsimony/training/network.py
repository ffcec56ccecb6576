"""A torch network as a learner: what all methods of that kind share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from parsimony.training.optimizer import optimizer_state, restore_optimizer
from parsimony.training.trainer import Learner, Step

__all__ = ["NetworkLearner"]


class NetworkLearner(Learner):
    """A network and its optimiser; a method adds its losses and its validation.

    Parameters
    ----------
    network
        Trained in place.
    optimizer
        Over the network's parameters.
    clip
        Largest norm of the gradient; None: it is not clipped.
    """

    #: whether a subclass adds to ``flops`` by a formula; else the first step is counted by torch
    counts: bool = False

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, *, clip: float | None = None
    ) -> None:
        self.network, self.optimizer, self.clip = network, optimizer, clip
        self._flops_of_item: float | None = None

    @abstractmethod
    def losses(
        self, number: int, drawn: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, int]]]:
        """Draw an epoch: how many items it asks, and the mean loss and size of every batch."""

    def epoch(self, number: int, drawn: np.random.Generator) -> tuple[int, Iterator[Step]]:
        """Draw an epoch; every step is an update of the network."""
        torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
        if (rate := self.lr(number)) is not None:
            self.set_lr(rate)
        n, losses = self.losses(number, drawn)
        self.network.train()
        return n, self._steps(losses)

    def _steps(self, losses: Iterator[tuple[Tensor, int]]) -> Iterator[Step]:
        """Update on every batch; the operations of the first one stand for those of all items."""
        if not self.counts and self._flops_of_item is None:
            from torch.utils.flop_counter import FlopCounterMode

            with FlopCounterMode(display=False) as counter:
                for loss, size in losses:
                    step = self.update(loss, size)
                    break
                else:
                    return
            self._flops_of_item = counter.get_total_flops() / max(step.items, 1)
            self.flops += self._flops_of_item * step.items
            yield step
        for loss, size in losses:
            self.flops += (self._flops_of_item or 0.0) * size
            yield self.update(loss, size)

    def set_lr(self, rate: float) -> None:
        """Let the optimiser go on with a learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def update(self, loss: Tensor, size: int) -> Step:
        """Take one step against the gradient of a mean loss over so many items."""
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        return Step(float(loss.detach()) * size, size)

    def weights(self) -> dict[str, Tensor]:
        """The network's parameters."""
        return {name: weight.detach() for name, weight in self.network.named_parameters()}

    def state(self) -> dict[str, Tensor]:
        """The network's parameters and buffers."""
        state: dict[str, Tensor] = self.network.state_dict()
        return state

    def optimizer_state(self) -> dict[str, Tensor]:
        """The optimiser's moments."""
        return optimizer_state(self.optimizer)

    def restore_optimizer(self, state: dict[str, Tensor]) -> None:
        """Give the optimiser its moments."""
        restore_optimizer(self.optimizer, state)
