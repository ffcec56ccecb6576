"""The plain torch form behind the fused form's interface, for ``--device cuda``.

Frontiers are expanded on the processor, all arithmetic is torch's on the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.errors import MissingExtra
from parsimony.kernels.redgnn.frontier import Frontier, Scratch
from parsimony.link.reasoning.architecture import Architecture, Counts
from parsimony.link.reasoning.propagation_torch import plain_forward, plain_loss
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import Batch

IntArray = npt.NDArray[np.int32]


class PlainPropagation:
    """Scores and gradients of batches by torch on a device.

    Parameters
    ----------
    walkable, n_entities, architecture
        As for :class:`parsimony.link.reasoning.propagation.Propagation`.
    device
        A torch device, such as "cuda".

    Raises
    ------
    MissingExtra
        This machine has no such device.
    """

    def __init__(
        self, walkable: Walkable, n_entities: int, architecture: Architecture, device: str
    ) -> None:
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            first = str(error).splitlines()[0]
            raise MissingExtra(
                f"device {device!r} is not available ({first})",
                remedy="use --device cpu, or install a torch built for the device",
            ) from None
        self.walkable, self.n_entities, self.architecture = walkable, n_entities, architecture
        self.device = torch.device(device)
        self.scratch = Scratch(n_entities)
        self.counts = Counts()

    def _tensors(self, weights: Weights, *, grad: bool) -> dict[str, torch.Tensor]:
        return {
            name: torch.from_numpy(np.array(value)).to(self.device).requires_grad_(grad)
            for name, value in weights.items()
        }

    def forward(
        self,
        weights: Weights,
        heads: IntArray,
        relations: IntArray,
        active: npt.NDArray[np.uint8],
    ) -> tuple[Frontier, npt.NDArray[Any]]:
        """Score the reached entities of every query, as ``Propagation.forward``."""
        with torch.no_grad():
            frontier, scores = plain_forward(
                self.walkable, self.n_entities, self.architecture,
                self._tensors(weights, grad=False), heads, relations, active,
                scratch=self.scratch, collapse=True,
            )  # fmt: skip
        return frontier, scores.cpu().numpy()

    def loss_and_gradient(
        self,
        weights: Weights,
        batch: Batch,
        active: npt.NDArray[np.uint8],
        gradient: Weights,
        *,
        train_seed: int,
    ) -> float:
        """Sum of the log-losses; its gradient is added, as ``Propagation.loss_and_gradient``."""
        tensors = self._tensors(weights, grad=True)
        torch.manual_seed(train_seed & 0x7FFFFFFFFFFFFFFF)  # dropout
        frontier, scores = plain_forward(
            self.walkable, self.n_entities, self.architecture, tensors, batch.head, batch.relation,
            active, scratch=self.scratch, collapse=self.architecture.top_k is None,
            train_seed=train_seed,
        )  # fmt: skip
        loss = plain_loss(frontier, scores, self.n_entities, batch)
        loss.backward()
        for name, tensor in tensors.items():
            if tensor.grad is not None:
                gradient[name][...] += tensor.grad.cpu().numpy()
        return float(loss.detach())
