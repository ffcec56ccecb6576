"""Networks that learn many properties of molecules at once, and their training.

Inputs are fragments and descriptors (:mod:`parsimony.molecules.fragment_network`) or graphs
(:mod:`parsimony.molecules.graph_network`); outputs are the logits of the training tasks. Trained on
every measured label of those tasks, by binary cross-entropy (B. Ramsundar et al., Massively
Multitask Networks for Drug Discovery, arXiv 1502.02072).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony import base
from parsimony.chem.descriptors import MoleculeFeatures
from parsimony.molecules.adapted import IntArray, LabelArray
from parsimony.molecules.fragment_network import PropertyNetwork
from parsimony.molecules.graph_network import GraphNetwork
from parsimony.run.seeds import rng
from parsimony.training.network import NetworkLearner

__all__ = ["NetworkParameters", "PropertyLearner", "property_networks"]


class NetworkParameters(base.Parameters):
    """Parameters of the networks and of their training."""

    hidden: int = Field(
        256, ge=1, le=65_536, description="hidden units, 1 … 65,536",
        json_schema_extra=base.tuned_among(64, 128, 256, 512),
    )  # fmt: skip
    graph_layers: int | None = Field(
        None, ge=1, le=64,
        description="layers of a GIN over the molecule's graph, whose states have the width "
        "`hidden`, 1 … 64; left out: one layer over fragments and descriptors",
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


def property_networks(
    count: int, n_tasks: int, hidden: int, *, layers: int | None = None, **dropout: float
) -> nn.ModuleList:
    """Make several networks of the same shape; torch's global generator stays as it is.

    ``layers``: of a network over the graphs of the molecules; None: one over their fragments.
    """
    with torch.random.fork_rng(devices=[]):
        return nn.ModuleList(
            GraphNetwork(n_tasks, hidden, layers, **dropout)
            if layers
            else PropertyNetwork(n_tasks, hidden, **dropout)
            for _ in range(count)
        )


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
    counts = True

    def __init__(
        self, features: MoleculeFeatures, labels: LabelArray, p: NetworkParameters
    ) -> None:
        made = property_networks(
            p.networks, labels.shape[1], p.hidden, layers=p.graph_layers, dropout=p.dropout,
            input_dropout=p.input_dropout,
        )  # fmt: skip
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
