"""The molecular encoder as PyG would compute it, on the weights of ours.

Messages h_j + E_bond over all bonds and a self-loop, summed, as in W. Hu et al. (ICLR 2020), whose
encoder PAR and PACIA use; PyG's own ``GINEConv`` has a ReLU around the message and is another one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing, global_mean_pool

from parsimony.chem.graphs import SELF_LOOP, TYPES, MoleculeGraphs
from parsimony.molecules.encoder.gin import GIN, GINLayer


class Messages(MessagePassing):  # type: ignore[misc]
    """Sum the messages of neighbours."""

    def __init__(self) -> None:
        super().__init__(aggr="add")

    def forward(self, h: Tensor, edges: Tensor, bonds: Tensor) -> Any:
        return self.propagate(edges, x=h, edge_attr=bonds)

    def message(self, x_j: Tensor, edge_attr: Tensor) -> Tensor:
        return x_j + edge_attr


class PyGEncoder:
    """Encode graphs by a GIN's weights."""

    def __init__(self, gin: GIN, graphs: MoleculeGraphs) -> None:
        self.gin, self.messages = gin, Messages()
        n, bonds = len(graphs.element), np.diff(graphs.bonds)
        atoms = torch.arange(n)
        target = torch.from_numpy(np.repeat(np.arange(n), bonds))
        self.edges = torch.stack(
            [torch.cat([torch.from_numpy(graphs.source), atoms]), torch.cat([target, atoms])]
        )
        self.kind = torch.cat([_ids(graphs.bond_type), torch.full((n,), SELF_LOOP)])
        self.way = torch.cat([_ids(graphs.direction), torch.zeros(n, dtype=torch.long)])
        self.element, self.chirality = _ids(graphs.element), _ids(graphs.chirality)
        self.molecule = torch.from_numpy(np.repeat(np.arange(len(graphs)), np.diff(graphs.atoms)))

    def __call__(self) -> Tensor:
        """Embeddings (n, width)."""
        h = self.gin.element(self.element) + self.gin.chirality(self.chirality)
        layer: GINLayer
        for number, layer in enumerate(self.gin.rounds):
            bonds = layer.bond[self.kind] + layer.bond[TYPES + self.way]
            h = layer.read(layer.inner(self.messages(h, self.edges, bonds)).relu())
            if number < len(self.gin.layers) - 1:
                h = h.relu()
        pooled: Tensor = global_mean_pool(h, self.molecule)
        return pooled


def _ids(values: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(values.astype(np.int64))
