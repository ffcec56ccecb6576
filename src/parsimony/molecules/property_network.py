"""A network of one hidden layer that learns many properties of molecules at once.

Inputs are the counts of Morgan fragments, as min(log(1 + n), 3), and standardised descriptors;
outputs are the logits of the training tasks. Trained on every measured label of those tasks, by
binary cross-entropy (B. Ramsundar et al., Massively Multitask Networks for Drug Discovery,
arXiv 1502.02072).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony import base
from parsimony.chem.descriptors import DESCRIPTORS, N_COUNTS, MoleculeFeatures
from parsimony.metrics.guard import require_scores
from parsimony.molecules.adapted import IntArray, LabelArray
from parsimony.run.seeds import rng
from parsimony.training.network import NetworkLearner

__all__ = ["NetworkParameters", "PropertyLearner", "PropertyNetwork", "property_networks"]

FloatArray = npt.NDArray[np.float32]
FARTHEST = 6.0  # standard deviations of a descriptor
CHUNK = 4096  # molecules at a time where nothing is trained
_COUNTED = torch.log1p(torch.arange(256.0)).clamp(max=3.0)


class NetworkParameters(base.Parameters):
    """Parameters of the networks and of their training."""

    hidden: int = Field(
        256, ge=1, le=65_536, description="hidden units, 1 … 65,536",
        json_schema_extra=base.tuned_among(64, 128, 256, 512),
    )  # fmt: skip
    networks: int = Field(
        1, ge=1, le=100, description="networks whose logits are averaged, 1 … 100"
    )
    lr: float = Field(
        2e-3, gt=0, description="learning rate of AdamW, > 0",
        json_schema_extra=base.tuned(3e-4, 0.01, log=True),
    )  # fmt: skip
    weight_decay: float = Field(
        1e-2, ge=0, description="decoupled weight decay, ≥ 0",
        json_schema_extra=base.tuned(1e-4, 0.1, log=True, zero=True),
    )  # fmt: skip
    dropout: float = Field(
        0.5, ge=0, lt=1, description="dropout of hidden units, [0, 1)",
        json_schema_extra=base.tuned(0.0, 0.7),
    )  # fmt: skip
    input_dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout of inputs, [0, 1)",
        json_schema_extra=base.tuned(0.0, 0.5),
    )  # fmt: skip
    batch: int = Field(256, ge=1, description="molecules per step, ≥ 1")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


class PropertyNetwork(nn.Module):
    """Hidden units and logits of molecules.

    Parameters
    ----------
    n_tasks, hidden
        Units.
    dropout, input_dropout
        Of the hidden units and of the inputs, [0, 1).

    Attributes
    ----------
    mean, std : (n_descriptors,)
        Of the descriptors that it was initialised with.
    logit_mean, logit_std : (n_tasks,)
        Of its logits, by :meth:`measure_logits`.
    """

    mean: Tensor
    std: Tensor
    logit_mean: Tensor
    logit_std: Tensor

    def __init__(
        self, n_tasks: int, hidden: int, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.inner = nn.Linear(N_COUNTS + len(DESCRIPTORS), hidden)
        self.outer = nn.Linear(hidden, n_tasks)
        self.drop_input, self.drop = nn.Dropout(input_dropout), nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(len(DESCRIPTORS)))
        self.register_buffer("std", torch.ones(len(DESCRIPTORS)))
        self.register_buffer("logit_mean", torch.zeros(n_tasks))
        self.register_buffer("logit_std", torch.ones(n_tasks))

    def initialise(self, features: MoleculeFeatures, generator: torch.Generator) -> None:
        """Xavier for matrices, zeros for biases; standardise by these molecules."""
        with torch.no_grad():
            for layer in (self.inner, self.outer):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                layer.bias.zero_()
            values = torch.from_numpy(features.descriptors)
            self.mean.copy_(values.mean(0))
            self.std.copy_(values.std(0).clamp(min=1e-3))

    def inputs(self, features: MoleculeFeatures, rows: IntArray) -> Tensor:
        """Inputs (n, 2141) of some molecules."""
        counts = _COUNTED[torch.from_numpy(features.counts[rows]).long()]
        return torch.cat([counts, torch.from_numpy(self.standardised(features, rows))], 1)

    def standardised(self, features: MoleculeFeatures, rows: Any = slice(None)) -> FloatArray:
        """Descriptors (n, 93) of some molecules, standardised and clipped to ±6."""
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

    def measure_logits(self, features: MoleculeFeatures) -> None:
        """Keep mean and standard deviation of the logits of these molecules."""
        _, logits = self.represent(features)
        require_scores(logits, "logit")
        self.logit_mean.copy_(torch.from_numpy(logits.mean(0)))
        self.logit_std.copy_(torch.from_numpy(np.maximum(logits.std(0), 1e-6)))

    def flops(self, n: int) -> float:
        """Floating-point operations of training on n molecules: 6 per weight."""
        return 6.0 * n * (self.inner.weight.numel() + self.outer.weight.numel())


def property_networks(count: int, n_tasks: int, hidden: int, **dropout: float) -> nn.ModuleList:
    """Make several networks of the same shape; torch's global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        return nn.ModuleList(PropertyNetwork(n_tasks, hidden, **dropout) for _ in range(count))


class PropertyLearner(NetworkLearner):
    """Training of several networks on the same tasks, each with its own order of the molecules.

    Parameters
    ----------
    features
        Of all molecules.
    labels
        0, 1 or −1 of the tasks to learn, (n_molecules, n_tasks).
    p
        Of the networks.
    """

    between_checkpoints = 20.0

    def __init__(
        self, features: MoleculeFeatures, labels: LabelArray, p: NetworkParameters
    ) -> None:
        made = property_networks(
            p.networks, labels.shape[1], p.hidden, dropout=p.dropout, input_dropout=p.input_dropout
        )
        super().__init__(
            made, torch.optim.AdamW(made.parameters(), lr=p.lr, weight_decay=p.weight_decay)
        )
        self.features, self.labels, self.batch = features, labels, p.batch
        self.rows = np.flatnonzero((labels >= 0).any(1))
        self.seeds = [p.seed + 1000 * number for number in range(p.networks)]
        for network, seed in zip(self.networks, self.seeds, strict=True):
            network.initialise(features, torch.Generator().manual_seed(seed))

    @property
    def networks(self) -> list[PropertyNetwork]:
        """The networks, the first one first."""
        return cast(list[PropertyNetwork], list(cast(nn.ModuleList, self.network)))

    def losses(
        self, number: int, drawn: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, int]]]:
        """Draw batches of all labelled molecules, for one network after another."""
        orders = [rng(seed, "epoch", number).permutation(self.rows) for seed in self.seeds]

        def each() -> Iterator[tuple[Tensor, int]]:
            for network, order in zip(self.networks, orders, strict=True):
                for at in range(0, len(order), self.batch):
                    rows = order[at : at + self.batch]
                    self.flops += network.flops(len(rows))
                    yield self._loss(network, rows), len(rows)

        return len(self.rows) * len(orders), each()

    def _loss(self, network: PropertyNetwork, rows: IntArray) -> Tensor:
        """Mean binary cross-entropy of the measured labels."""
        _, logits = network(network.inputs(self.features, rows))
        target = torch.from_numpy(self.labels[rows])
        known = target >= 0
        return nn.functional.binary_cross_entropy_with_logits(logits[known], target[known].float())

    def measure_logits(self) -> None:
        """Keep mean and standard deviation of each network's logits over the data."""
        for network in self.networks:
            network.measure_logits(self.features)
