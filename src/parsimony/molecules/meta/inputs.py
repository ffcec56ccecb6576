"""Inputs of the meta-trained networks, and the layers that they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.chem.graphs import MoleculeGraphs

__all__ = ["PLAIN", "Inputs", "MetaFeatures", "MoleculeInput", "TransferPrior"]

#: descriptors that are read: the first ones of molecule_features. With all 93 the prior fits its
#: few training tasks too closely: ridge falls from .814 to .794 on Tox21's validation tasks.
PLAIN = 15
SUMMARY = 3 + PLAIN


class Inputs(NamedTuple):
    """Molecules of T tasks, n each.

    Attributes
    ----------
    embedding : (T, n, d)
        Of the frozen encoder.
    described : (T, n, 15)
        Standardised descriptors.
    measured, predicted, missing : (T, n, C)
        Profile in the training tasks; zero in the column of the task at hand.
    n_columns : (T, 1, 1)
        Columns that are not hidden.
    rows : (T, n)
        Rows of the molecules in their features.
    graphs
        Of all molecules.
    """

    embedding: Tensor
    described: Tensor
    measured: Tensor
    predicted: Tensor
    missing: Tensor
    n_columns: Tensor
    rows: Tensor
    graphs: MoleculeGraphs

    def summary(self) -> Tensor:
        """Features that do not depend on the order of tasks: means over them, and descriptors."""
        n = self.n_columns
        means = [x.sum(-1, keepdim=True) / n for x in (self.measured, self.predicted, self.missing)]
        return torch.cat([*means, self.described], -1)


@dataclass(frozen=True, eq=False)
class MetaFeatures:
    """All that is known of n molecules without the labels of the task that is adapted to."""

    embedding: Tensor
    described: Tensor
    measured: Tensor
    predicted: Tensor
    missing: Tensor
    graphs: MoleculeGraphs

    def narrow(self, columns: int) -> MetaFeatures:
        """Return the same molecules with the first columns of the profile alone."""
        measured, predicted, missing = (
            x[:, :columns] for x in (self.measured, self.predicted, self.missing)
        )
        return MetaFeatures(
            self.embedding, self.described, measured, predicted, missing, self.graphs
        )

    def inputs(
        self, rows: npt.NDArray[np.integer], hidden: npt.NDArray[np.integer] | None = None
    ) -> Inputs:
        """Gather molecules.

        Parameters
        ----------
        rows : (T, n)
        hidden : (T,)
            Column of the profile that is the task itself, while training.
        """
        at = torch.from_numpy(np.asarray(rows, np.int64))
        profile = [x[at] for x in (self.measured, self.predicted, self.missing)]
        columns = self.measured.shape[1]
        if hidden is not None:
            tasks = torch.arange(len(hidden))
            own = torch.from_numpy(np.asarray(hidden, np.int64))
            for x in profile:
                x[tasks, :, own] = 0  # a gathered copy
            columns -= 1
        count = torch.full((len(at), 1, 1), float(max(columns, 1)))
        measured, predicted, missing = profile
        return Inputs(
            self.embedding[at], self.described[at], measured, predicted, missing, count, at,
            self.graphs,
        )  # fmt: skip


class TransferPrior(nn.Module):
    """The score f₀ of a molecule in a task with no labels, from its summary.

    A linear term and a small network; initially f₀ is the mean of the measured profile.
    """

    def __init__(self, hidden: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.linear = nn.Linear(SUMMARY, 1)
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        self.network = nn.Sequential(
            nn.Linear(SUMMARY, hidden), nn.Tanh(), nn.Dropout(dropout), last
        )
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        with torch.no_grad():
            self.linear.weight[0, 0] = 1.0

    def forward(self, x: Inputs) -> Tensor:
        """Scores (T, n)."""
        u = x.summary()
        found: Tensor = (self.linear(u) + self.network(u))[..., 0]
        return found


class MoleculeInput(nn.Module):
    """Embedding and profile as one vector.

    Parameters
    ----------
    embedding
        Width of the encoder.
    columns
        Of the profile that are read: the first ones, those of the training tasks.
    width
        Of the output.
    """

    def __init__(self, embedding: int, columns: int, width: int, dropout: float) -> None:
        super().__init__()
        self.columns = columns
        self.embedding = nn.Linear(embedding, width)
        self.profile = nn.Linear(2 * columns, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Inputs, embedding: Tensor | None = None) -> Tensor:
        """Vectors (T, n, width); ``embedding`` replaces that of ``x`` where it is given."""
        read = [part[..., : self.columns] for part in (x.measured, x.predicted)]
        profile = self.profile(self.dropout(torch.cat(read, -1)))
        structure = self.embedding(self.dropout(x.embedding if embedding is None else embedding))
        return nn.functional.leaky_relu(structure + profile)
