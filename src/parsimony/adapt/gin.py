"""The molecular encoder: a graph isomorphism network with edge embeddings.

    h⁰_i = E_element[i] + E_chirality[i]
    m_i = h_i + Σ_{j ∈ N(i)} h_j + Σ_b E_b            bonds of i, a self-loop among them
    h_i ← ReLU(BN(W₂ ReLU(W₁ m_i + b₁) + b₂))          no ReLU after the last layer

(K. Xu et al., ICLR 2019; with bond embeddings W. Hu et al., ICLR 2020.) A molecule is the mean of
its atoms. The sum of bond embeddings is one product: counts over the 9 bond ids times their table,
the same numbers as gathered embeddings. In evaluation BatchNorm uses running statistics, so no
molecule's embedding depends on those beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from parsimony.datasets.molecule_graphs import (
    BONDS,
    CHIRALITIES,
    ELEMENTS,
    TYPES,
    MoleculeGraphs,
)
from parsimony.kernels.segments import neighbour_sum, segment_sum

__all__ = ["GIN", "MoleculeBatch", "gin_reference"]


class MoleculeBatch:
    """Graphs as tensors that :class:`GIN` reads.

    Parameters
    ----------
    graphs
        Packed; see :meth:`MoleculeGraphs.take`.
    """

    def __init__(self, graphs: MoleculeGraphs) -> None:
        self.graphs = graphs
        self.element = torch.from_numpy(graphs.element.astype(np.int64))
        self.chirality = torch.from_numpy(graphs.chirality.astype(np.int64))
        self.bond_counts = torch.from_numpy(graphs.bond_counts.astype(np.float32))
        self.indptr = np.ascontiguousarray(graphs.bonds)
        self.source = graphs.source
        self.atoms = np.ascontiguousarray(graphs.atoms)
        self.sizes = torch.from_numpy(np.diff(self.atoms))

    def __len__(self) -> int:
        """The number of molecules."""
        return len(self.graphs)


class _NeighbourSum(torch.autograd.Function):
    """Its own adjoint, as bonds have no direction."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, indptr: Any, source: Any) -> Tensor:
        ctx.graph = indptr, source
        return _summed(indptr, source, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, None, None]:
        indptr, source = ctx.graph
        return _summed(indptr, source, d_out), None, None


def _summed(indptr: Any, source: Any, x: Tensor) -> Tensor:
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    neighbour_sum(indptr, source, x.contiguous().numpy(), out.numpy())
    return out


class _SegmentMean(torch.autograd.Function):
    """The mean over the rows of every segment."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, atoms: Any, sizes: Tensor) -> Tensor:
        ctx.sizes = sizes
        out = torch.empty(len(sizes), x.shape[1], dtype=x.dtype)
        segment_sum(atoms, x.contiguous().numpy(), out.numpy())
        return out.div_(sizes[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, None, None]:
        return (d_out / ctx.sizes[:, None]).repeat_interleave(ctx.sizes, 0), None, None


class GINLayer(nn.Module):
    """One round of messages."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bond = nn.Parameter(torch.empty(BONDS, width))
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        self.norm = nn.BatchNorm1d(width)
        nn.init.xavier_uniform_(self.bond)

    def forward(self, batch: MoleculeBatch, h: Tensor) -> Tensor:
        """Return BN(MLP(m)) of states h (n_atoms, width)."""
        summed: Tensor = _NeighbourSum.apply(h, batch.indptr, batch.source)
        m = torch.addmm(summed, batch.bond_counts.to(h.dtype), self.bond)
        found: Tensor = self.norm(self.outer(self.inner(m).relu_()))
        return found


#: (layer, states of the atoms) → states that go on; see PACIA
Modulation = Callable[[int, Tensor], Tensor]


class GIN(nn.Module):
    """The encoder.

    Parameters
    ----------
    layers, width
        By default 3 × 128; published are 5 × 300.
    dropout
        Of the states after every layer, in [0, 1).
    """

    def __init__(self, layers: int = 3, width: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.element = nn.Embedding(ELEMENTS, width)
        self.chirality = nn.Embedding(CHIRALITIES, width)
        nn.init.xavier_uniform_(self.element.weight)
        nn.init.xavier_uniform_(self.chirality.weight)
        self.layers = nn.ModuleList(GINLayer(width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: MoleculeBatch) -> Tensor:
        """h⁰, (n_atoms, width)."""
        found: Tensor = self.element(batch.element) + self.chirality(batch.chirality)
        return found

    def layer(self, batch: MoleculeBatch, number: int, h: Tensor) -> Tensor:
        """States after one layer with its activation and dropout."""
        h = self.layers[number](batch, h)
        if number < len(self.layers) - 1:
            h = h.relu_()
        found: Tensor = self.dropout(h)
        return found

    def states(self, batch: MoleculeBatch, modulate: Modulation | None = None) -> Tensor:
        """States of the atoms after the last layer, (n_atoms, width)."""
        h = self.start(batch)
        for number in range(len(self.layers)):
            h = self.layer(batch, number, h)
            if modulate is not None:
                h = modulate(number, h)
        return h

    def forward(self, batch: MoleculeBatch) -> Tensor:
        """Embeddings of the molecules, (n, width)."""
        return mean_pool(batch, self.states(batch))

    @torch.no_grad()
    def embed(self, graphs: MoleculeGraphs, size: int = 512) -> Tensor:
        """Embeddings of all molecules in evaluation mode, (n, width), ``size`` at a time."""
        before = self.training
        self.eval()
        found = [
            self(MoleculeBatch(graphs.take(np.arange(at, min(at + size, len(graphs))))))
            for at in range(0, len(graphs), size)
        ]
        self.train(before)
        return torch.cat(found) if found else torch.empty(0, self.width)


def mean_pool(batch: MoleculeBatch, h: Tensor) -> Tensor:
    """The mean of the atoms of each molecule, (n, width)."""
    found: Tensor = _SegmentMean.apply(h, batch.atoms, batch.sizes)
    return found


def gin_reference(gin: GIN, graphs: MoleculeGraphs) -> Tensor:
    """The plain twin of :meth:`GIN.forward`: gathered messages and bond embeddings, index_add."""
    bonds = torch.from_numpy(np.diff(graphs.bonds))
    n = len(graphs.element)
    target = torch.cat([torch.arange(n).repeat_interleave(bonds), torch.arange(n)])
    source = torch.cat([torch.from_numpy(graphs.source), torch.arange(n)])
    kind = torch.cat([torch.from_numpy(graphs.bond_type.astype(np.int64)), torch.full((n,), 4)])
    way = torch.cat([torch.from_numpy(graphs.direction.astype(np.int64)), torch.zeros(n).long()])
    h = gin.element(torch.from_numpy(graphs.element.astype(np.int64)))
    h = h + gin.chirality(torch.from_numpy(graphs.chirality.astype(np.int64)))
    for number, layer in enumerate(cast(list[GINLayer], list(gin.layers))):
        message = h[source] + (layer.bond[kind] + layer.bond[TYPES + way])
        m = torch.zeros_like(h).index_add(0, target, message)
        h = layer.norm(layer.outer(layer.inner(m).relu()))
        if number < len(gin.layers) - 1:
            h = h.relu()
        h = gin.dropout(h)
    sizes = torch.from_numpy(np.diff(graphs.atoms))
    molecule = torch.arange(len(graphs)).repeat_interleave(sizes)
    return (
        torch.zeros(len(graphs), h.shape[1], dtype=h.dtype).index_add(0, molecule, h)
        / sizes[:, None]
    )
