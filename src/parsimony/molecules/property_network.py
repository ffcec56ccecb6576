"""A network of one hidden layer that learns many properties of molecules at once.

Inputs are the counts of Morgan fragments, as min(log(1 + n), 3), and standardised descriptors;
outputs are the logits of the training tasks. Trained on every measured label of those tasks, by
binary cross-entropy (B. Ramsundar et al., Massively Multitask Networks for Drug Discovery,
arXiv 1502.02072).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.chem.descriptors import DESCRIPTORS, N_COUNTS, MoleculeFeatures
from parsimony.errors import TrainingDiverged
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.torch_state import moments, part, restore_moments

__all__ = ["NetworkTraining", "PropertyNetwork"]

FloatArray = npt.NDArray[np.float32]
FARTHEST = 6.0  # standard deviations of a descriptor
CHUNK = 4096  # molecules at a time where nothing is trained
_COUNTED = torch.log1p(torch.arange(256.0)).clamp(max=3.0)


class PropertyNetwork(nn.Module):
    """Hidden units and logits of molecules.

    Parameters
    ----------
    n_tasks, hidden
        Units.
    dropout, input_dropout
        Of the hidden units and of the inputs, [0, 1).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, n_tasks: int, hidden: int, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.inner = nn.Linear(N_COUNTS + len(DESCRIPTORS), hidden)
        self.outer = nn.Linear(hidden, n_tasks)
        self.drop_input, self.drop = nn.Dropout(input_dropout), nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(len(DESCRIPTORS)))
        self.register_buffer("std", torch.ones(len(DESCRIPTORS)))

    def initialise(self, features: MoleculeFeatures, generator: torch.Generator) -> None:
        """Xavier for matrices, zeros for biases; standardise by these molecules."""
        with torch.no_grad():
            for layer in (self.inner, self.outer):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                layer.bias.zero_()
            values = torch.from_numpy(features.descriptors)
            self.mean.copy_(values.mean(0))
            self.std.copy_(values.std(0).clamp(min=1e-3))

    def inputs(self, features: MoleculeFeatures, rows: npt.NDArray[np.integer[Any]]) -> Tensor:
        """Inputs (n, 2141) of some molecules."""
        counts = _COUNTED[torch.from_numpy(features.counts[rows]).long()]
        return torch.cat([counts, torch.from_numpy(self.standardised(features, rows))], 1)

    def standardised(self, features: MoleculeFeatures, rows: Any = slice(None)) -> FloatArray:
        """Descriptors (n, 93) of some molecules, in standard deviations, at most 6."""
        values = (features.descriptors[rows] - self.mean.numpy()) / self.std.numpy()
        bounded: FloatArray = np.clip(values, -FARTHEST, FARTHEST)
        return bounded

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden units (n, hidden) and logits (n, n_tasks)."""
        hidden = torch.relu(self.inner(self.drop_input(inputs)))
        return hidden, self.outer(self.drop(hidden))

    @torch.no_grad()
    def represent(self, features: MoleculeFeatures) -> tuple[FloatArray, FloatArray]:
        """Hidden units and logits of all molecules, without dropout."""
        self.eval()
        parts = [
            self(self.inputs(features, np.arange(at, min(at + CHUNK, len(features)))))
            for at in range(0, len(features), CHUNK)
        ]
        hidden, logits = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
        return hidden, logits

    def flops(self, n: int) -> float:
        """Floating-point operations of training on n molecules: 6 a weight."""
        return 6.0 * n * (self.inner.weight.numel() + self.outer.weight.numel())


class NetworkTraining:
    """The training of one network, an epoch at a time.

    Parameters
    ----------
    features
        Of all molecules.
    labels
        0, 1 or −1 of the tasks to learn, (n_molecules, n_tasks).

    Attributes
    ----------
    network : PropertyNetwork
    done : int
        Epochs behind it.
    """

    def __init__(
        self,
        features: MoleculeFeatures,
        labels: npt.NDArray[np.int8],
        *,
        hidden: int,
        lr: float,
        weight_decay: float,
        dropout: float,
        input_dropout: float,
        batch: int,
        seed: int,
    ) -> None:
        self._features, self._labels, self._batch, self._seed = features, labels, batch, seed
        self._rows = np.flatnonzero((labels >= 0).any(1))
        # Dropout draws from torch's global generator; the user's own stays as it is.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng(seed, "dropout").integers(1 << 60)))
            self._random = torch.get_rng_state()
        self.network = PropertyNetwork(labels.shape[1], hidden, dropout, input_dropout)
        self.network.initialise(features, torch.Generator().manual_seed(seed))
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=lr, weight_decay=weight_decay
        )
        self.done = 0

    def epoch(self, title: str, quiet: bool = True) -> float:
        """Learn from every molecule once; returns the mean loss.

        Raises
        ------
        TrainingDiverged
            The loss is not finite.
        """
        self.done += 1
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._random)
            order = rng(self._seed, "epoch", self.done).permutation(self._rows)
            self.network.train()
            with Progress(len(order), title, quiet=quiet) as progress:
                for at in range(0, len(order), self._batch):
                    rows = order[at : at + self._batch]
                    loss = _loss(self.network, self._features, self._labels, rows)
                    self._optimizer.zero_grad()
                    loss.backward()
                    self._optimizer.step()
                    total += float(loss.detach()) * len(rows)
                    progress.advance(len(rows), loss=total / (at + len(rows)))
            self._random = torch.get_rng_state()
        if not np.isfinite(total):
            raise TrainingDiverged(
                f"the loss became {total} in epoch {self.done}", remedy="lower lr (--set lr=…)"
            )
        return total / max(len(order), 1)

    def flops(self) -> float:
        """Floating-point operations of an epoch."""
        return self.network.flops(len(self._rows))

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that the next epoch depends on, as named arrays."""
        weights = {f"network.{k}": v.numpy().copy() for k, v in self.network.state_dict().items()}
        own = {"done": np.array(self.done), "random": self._random.numpy().copy()}
        return weights | own | moments(self._optimizer)

    def restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`tensors` returned."""
        self.network.load_state_dict(part(tensors, "network."))
        restore_moments(self._optimizer, tensors)
        self.done = int(tensors["done"])
        self._random = torch.from_numpy(tensors["random"].copy())


def _loss(
    network: PropertyNetwork,
    features: MoleculeFeatures,
    labels: npt.NDArray[np.int8],
    rows: npt.NDArray[np.integer[Any]],
) -> Tensor:
    """Mean binary cross-entropy of the measured labels."""
    _, logits = network(network.inputs(features, rows))
    target = torch.from_numpy(labels[rows])
    known = target >= 0
    return nn.functional.binary_cross_entropy_with_logits(logits[known], target[known].float())
