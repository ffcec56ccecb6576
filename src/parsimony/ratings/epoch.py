"""An epoch of a network over supports: users in batches, with supports redrawn for every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.knowledge.formula import OPERATORS, POSITIONS
from parsimony.ratings.modulated_network import Block
from parsimony.ratings.parameters import TrainingParameters
from parsimony.training.network import NetworkLearner
from parsimony.training.trainer import Schedule

__all__ = ["ModulatedLearner", "random_gates", "schedule_of"]

_EMA_DECAY = 0.99


def random_gates(n: int, drawn: np.random.Generator) -> Tensor:
    """Draw one of the 65,536 formulas for each of n users, uniformly: (n, positions, operators)."""
    return torch.from_numpy(drawn.random((n, POSITIONS, len(OPERATORS))) < 0.5)


def schedule_of(parameters: TrainingParameters, seed: int) -> Schedule:
    """The training that the parameters ask for."""
    p = parameters
    return Schedule(p.epochs, p.patience, p.validate_every, _EMA_DECAY, seed)


class ModulatedLearner(NetworkLearner):
    """Trains a network over ratings by AdamW, with a learning rate that falls as a cosine.

    Parameters
    ----------
    network
        Trained in place.
    block
        Training users.
    gates
        What the network takes beside a batch, of its number of users and a generator: the
        structure of a modulated one.
    skill
        The skill of the network as it stands on validation; None where there is none.
    """

    between_checkpoints = 20.0

    def __init__(
        self,
        network: nn.Module,
        block: Block,
        gates: Callable[[int, np.random.Generator], Any],
        skill: Callable[[], float] | None,
        parameters: TrainingParameters,
    ) -> None:
        p = parameters
        super().__init__(
            network, torch.optim.AdamW(network.parameters(), p.lr, weight_decay=p.weight_decay)
        )
        self.block, self.gates, self.skill, self.parameters = block, gates, skill, p

    def lr(self, number: int) -> float:
        """A cosine from ``lr`` to a twentieth of it."""
        p = self.parameters
        return float(p.lr * (0.05 + 0.475 * (1 + np.cos(np.pi * (number - 1) / p.epochs))))

    def losses(
        self, number: int, drawn: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, int]]]:
        """Draw the order of the users; each batch gives its mean loss."""
        order, batch = drawn.permutation(len(self.block.users)), self.parameters.batch
        starts = range(0, len(order), batch)
        return len(order), (self._loss(order[at : at + batch], drawn) for at in starts)

    def _loss(self, rows: npt.NDArray[Any], drawn: np.random.Generator) -> tuple[Tensor, int]:
        """Mean over users of the mean squared error of their queries."""
        p = self.parameters
        smallest = min(p.min_support, p.max_support)
        block = self.block.take(rows).redraw(drawn, smallest, p.max_support)
        logits = self.network(block, self.gates(len(rows), drawn))
        error = (torch.sigmoid(logits) - block.ratings) ** 2 * block.query
        return (error.sum(1) / block.query.sum(1).clamp_min(1)).mean(), len(rows)

    def validate(self) -> dict[str, float]:
        """The skill on validation users."""
        self.network.eval()
        return {} if self.skill is None else {"skill": self.skill()}
