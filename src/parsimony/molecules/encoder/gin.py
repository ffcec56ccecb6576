"""The molecular encoder: a graph isomorphism network with edge embeddings.

    h⁰_i = E_element[i] + E_chirality[i]
    m_i = h_i + Σ_{j ∈ N(i)} h_j + Σ_b E_b            bonds of i, a self-loop among them
    h_i ← ReLU(BN(W₂ ReLU(W₁ m_i + b₁) + b₂))          no ReLU after the last layer

(docs/methods/encoder.md, eqs. 1–4.) A molecule is the mean of its atoms. The sum of bond embeddings
is one product: counts over the 9 bond ids times their table, the same numbers as gathered
embeddings. In evaluation BatchNorm uses running statistics, so no molecule's embedding depends on
those beside it, and atoms that look alike are computed once
(:mod:`parsimony.molecules.encoder.atom_classes`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from parsimony.chem.graphs import (
    BONDS,
    CHIRALITIES,
    ELEMENTS,
    TYPES,
    MoleculeGraphs,
)
from parsimony.kernels.molecules.gathers import gathered_sum, gathered_sum_backward
from parsimony.molecules.encoder.atom_classes import AtomClasses, atom_classes

__all__ = ["GIN", "MoleculeBatch", "gin_reference"]


class Around(NamedTuple):
    """Rows whose messages a layer sums, and the bonds of each.

    Attributes
    ----------
    indptr, listed : int64 arrays, shapes (n + 1,), (m,)
        The rows of the states that each one sums, its own among them.
    bond_counts : (n, 9)
    """

    indptr: Any
    listed: Any
    bond_counts: Tensor


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
        self.atoms = np.ascontiguousarray(graphs.atoms)
        self.sizes = torch.from_numpy(np.diff(self.atoms))

    def __len__(self) -> int:
        """The number of molecules."""
        return len(self.graphs)

    @cached_property
    def around(self) -> Around:
        """Each atom with its neighbours."""
        g, n = self.graphs, len(self.element)
        # Each atom stands before its neighbours.
        index = np.insert(g.source, g.bonds[:-1], np.arange(n))
        return Around(g.bonds + np.arange(n + 1), index, self.bond_counts)


class _GatheredSum(torch.autograd.Function):
    """Sums of listed rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, indptr: Any, index: Any) -> Tensor:
        ctx.listed = indptr, index, len(x)
        out = torch.empty(len(indptr) - 1, x.shape[1], dtype=x.dtype)
        gathered_sum(indptr, index, x.contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, None, None]:
        indptr, index, n = ctx.listed
        d_x = torch.zeros(n, d_out.shape[1], dtype=d_out.dtype)
        gathered_sum_backward(indptr, index, d_out.contiguous().numpy(), d_x.numpy())
        return d_x, None, None


class GINLayer(nn.Module):
    """One round of messages."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bond = nn.Parameter(torch.empty(BONDS, width))
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        self.norm = nn.BatchNorm1d(width)
        nn.init.xavier_uniform_(self.bond)

    def hidden(self, around: Around, h: Tensor) -> Tensor:
        """Return ReLU(W₁ m + b₁) of states h (…, width), one row for each of ``around``."""
        summed: Tensor = _GatheredSum.apply(h, around.indptr, around.listed)
        m = torch.addmm(summed, around.bond_counts.to(h.dtype), self.bond)
        found: Tensor = self.inner(m).relu_()
        return found

    def read(self, hidden: Tensor) -> Tensor:
        """Return BN(W₂ hidden + b₂)."""
        found: Tensor = self.norm(self.outer(hidden))
        return found


#: (layer, states of the classes, classes) → states that go on; see PACIA
Modulation = Callable[[int, Tensor, AtomClasses], Tensor]


class GIN(nn.Module):
    """The encoder.

    Parameters
    ----------
    layers, width
        By default 3 × 128; published are 5 × 300.
    dropout
        Of the states after each layer, in [0, 1).
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

    @property
    def rounds(self) -> list[GINLayer]:
        """The layers, the first one first."""
        return cast(list[GINLayer], list(self.layers))

    def states(self, batch: MoleculeBatch) -> Tensor:
        """States of the atoms after the last layer, (n_atoms, width)."""
        h: Tensor = self.element(batch.element) + self.chirality(batch.chirality)
        for layer in self.rounds:
            h = layer.read(layer.hidden(batch.around, h))
            h = self.dropout(h if layer is self.rounds[-1] else h.relu_())
        return h

    def forward(self, batch: MoleculeBatch) -> Tensor:
        """Embeddings of the molecules, (n, width)."""
        return mean_pool(batch, self.states(batch)) if self.training else self.by_class(batch)

    def by_class(
        self, batch: MoleculeBatch, modulate: Modulation | None = None, apart: Any = None
    ) -> Tensor:
        """Embeddings in evaluation mode, where atoms that look alike have equal states.

        Parameters
        ----------
        batch
        modulate
            Changes the states after each layer. Without it the mean over atoms is taken before
            the last layer's affine part, which then has one row per molecule.
        apart : int array, shape (n_atoms,)
            Atoms of different numbers are never computed as one.
        """
        first, *after = atom_classes(batch.graphs, len(self.layers), apart)
        h = self.element(batch.element[first.atom]) + self.chirality(batch.chirality[first.atom])
        for number, (layer, seen) in enumerate(zip(self.rounds, after, strict=True)):
            around = Around(seen.indptr, seen.listed, batch.bond_counts[seen.atom])
            hidden, last = layer.hidden(around, h), layer is self.rounds[-1]
            if last and modulate is None:
                return layer.read(mean_pool(batch, hidden, seen.of_atom))
            h = layer.read(hidden) if last else layer.read(hidden).relu_()
            if modulate is not None:
                h = modulate(number, h, seen)
        return mean_pool(batch, h, after[-1].of_atom)

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


def mean_pool(batch: MoleculeBatch, h: Tensor, row: Any = None) -> Tensor:
    """The mean of the atoms of each molecule, (n, width); ``row`` is where each atom's state is."""
    row = np.arange(len(batch.element)) if row is None else row
    summed: Tensor = _GatheredSum.apply(h, batch.atoms, row)
    return summed / batch.sizes[:, None]


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
    for number, layer in enumerate(gin.rounds):
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
