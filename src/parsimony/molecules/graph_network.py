"""A graph isomorphism network that learns many properties of molecules at once, end to end.

The encoder of :mod:`parsimony.molecules.encoder.gin`, drawn afresh and trained on the labels alone,
takes the place of the hidden layer over fragments (K. Xu et al., How Powerful are Graph Neural
Networks?, ICLR 2019; W. Hu et al., ICLR 2020, of the edge embeddings).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from parsimony.chem.descriptors import MoleculeFeatures, molecule_features
from parsimony.chem.graphs import MoleculeGraphs, molecule_graphs
from parsimony.molecules.adapted import IntArray
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch
from parsimony.molecules.fragment_network import PropertyNetwork

__all__ = ["GraphFeatures", "GraphNetwork", "graph_features"]


@dataclass(frozen=True, eq=False)
class GraphFeatures(MoleculeFeatures):
    """Features of molecules, and their graphs."""

    graphs: MoleculeGraphs


def graph_features(smiles: Sequence[str]) -> GraphFeatures:
    """Compute features and graphs of molecules; they are cached.

    Raises
    ------
    FormatError
        A SMILES that cannot be read.
    MissingExtra
        RDKit is not installed.
    """
    known = molecule_features(smiles)
    return GraphFeatures(known.counts, known.descriptors, molecule_graphs(smiles))


class GraphNetwork(PropertyNetwork):
    """Embeddings and logits of molecules from their graphs.

    Parameters
    ----------
    n_tasks, hidden, layers
        Outputs, width of the states, rounds of messages.
    dropout, input_dropout
        Of the embedding and of the states, [0, 1).
    """

    chunk = 512

    def __init__(
        self, n_tasks: int, hidden: int, layers: int, dropout: float = 0.0,
        input_dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(n_tasks, hidden, dropout)
        self.inner = GIN(layers, hidden, input_dropout)
        self._atoms = 0.0  # of a molecule, on average

    def initialise(self, features: MoleculeFeatures, generator: torch.Generator) -> None:
        """Xavier for matrices, zeros for biases, ones for the scales of BatchNorm."""
        super().initialise(features, generator)
        for layer in cast(GIN, self.inner).rounds:
            nn.init.ones_(layer.norm.weight)
        self._atoms = float(np.diff(cast(GraphFeatures, features).graphs.atoms).mean())

    def inputs(self, features: MoleculeFeatures, rows: IntArray) -> MoleculeBatch:
        """The graphs of some molecules."""
        return MoleculeBatch(cast(GraphFeatures, features).graphs.take(rows))

    def forward(self, inputs: MoleculeBatch) -> tuple[Tensor, Tensor]:
        """Embeddings (n, hidden) and logits (n, n_tasks)."""
        hidden = self.inner(inputs)
        return hidden, self.outer(self.drop(hidden))

    def flops(self, n: int) -> float:
        """6 per weight and atom for the layers, per molecule for the logits; tables only gather."""
        each = sum(w.numel() for layer in cast(GIN, self.inner).rounds for w in layer.parameters()
                   if w.dim() == 2)  # fmt: skip
        return 6.0 * n * (self._atoms * each + self.outer.weight.numel())
