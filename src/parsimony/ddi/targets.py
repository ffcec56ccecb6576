"""Pair targets: which pairs are scored, how scores are measured, and the loss.

Two kinds. :class:`MulticlassPairs` are ordered and have one type each: a classification.
:class:`MultilabelPairs` have several labels and no order; each is compared with a negative, and a
label should score higher for the pair than for the negative.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsimony.metrics.classification import (
    classification_metrics,
    cluster_bootstrap,
    cluster_draws,
    paired_bootstrap,
)
from parsimony.metrics.multilabel import (
    contrast_bootstrap,
    contrast_draws,
    contrast_metrics,
    contrast_paired_bootstrap,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MulticlassPairs", "MultilabelPairs", "PairTargets"]

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class PairTargets(ABC):
    """Pairs (n, 2) of drug numbers, and what is true of them.

    A table holds a score for every query and type: (n_questions, n_types).
    """

    pairs: IntArray
    n_types: int

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.pairs)

    @property
    def queries(self) -> IntArray:
        """Ordered pairs that are scored, (n_questions, 2)."""
        return self.pairs

    def places(self, rows: Rows) -> Rows:
        """Which rows of ``queries`` belong to some pairs."""
        return rows

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of pairs (n, …) as values of queries (n_questions, …)."""
        return values

    @abstractmethod
    def metrics(
        self, table: FloatArray, kept: npt.NDArray[np.bool_] | None = None
    ) -> dict[str, float]:
        """Measure a table, on some of the pairs (n,) if they are given."""

    @abstractmethod
    def interval(self, table: FloatArray, cluster: IntArray, seed: int = 0) -> dict[str, Any]:
        """95 % intervals of the measures over draws of clusters (n,)."""

    @abstractmethod
    def draws(self, table: FloatArray, cluster: IntArray, seed: int = 0) -> FloatArray:
        """The first measure, then that of draws of clusters (n,): (1 + draws,)."""

    @abstractmethod
    def better_by(self, table: FloatArray, other: FloatArray, cluster: IntArray) -> dict[str, Any]:
        """Paired bootstrap of a table against another one over draws of clusters (n,)."""

    @abstractmethod
    def loss(self, logits: Tensor, rows: Rows) -> Tensor:
        """What training minimises, for the logits of the queries of some pairs."""


@dataclass(frozen=True, eq=False)
class MulticlassPairs(PairTargets):
    """Ordered pairs of one type each."""

    types: IntArray

    def metrics(
        self, table: FloatArray, kept: npt.NDArray[np.bool_] | None = None
    ) -> dict[str, float]:
        """Macro-F1 (two ways), accuracy and Cohen's κ of the most probable type."""
        rows = slice(None) if kept is None else kept
        return classification_metrics(self.types[rows], table[rows].argmax(1), self.n_types)

    def interval(self, table: FloatArray, cluster: IntArray, seed: int = 0) -> dict[str, Any]:
        """95 % intervals over draws of clusters."""
        return cluster_bootstrap(self.types, table.argmax(1), cluster, self.n_types, seed=seed)

    def draws(self, table: FloatArray, cluster: IntArray, seed: int = 0) -> FloatArray:
        """Macro-F1 of all pairs, then of draws of clusters."""
        found = cluster_draws(self.types, table.argmax(1), cluster, self.n_types, seed=seed)
        return found[:, 0]

    def better_by(self, table: FloatArray, other: FloatArray, cluster: IntArray) -> dict[str, Any]:
        """Paired bootstrap against another table."""
        guess, theirs = table.argmax(1), other.argmax(1)
        return paired_bootstrap(self.types, guess, theirs, cluster, self.n_types)

    def loss(self, logits: Tensor, rows: Rows) -> Tensor:
        """Mean cross-entropy of the types."""
        import torch
        from torch.nn import functional as F

        return F.cross_entropy(logits, torch.from_numpy(self.types[rows].astype(np.int64)))


@dataclass(frozen=True, eq=False)
class MultilabelPairs(PairTargets):
    """Unordered pairs with labels (n, n_types), and a negative (n, 2) of each."""

    labels: npt.NDArray[np.bool_]
    negatives: IntArray

    @property
    def queries(self) -> IntArray:
        """The pairs, then their negatives."""
        return np.concatenate([self.pairs, self.negatives])

    def places(self, rows: Rows) -> Rows:
        """Pairs and negatives."""
        return np.concatenate([rows, rows + len(self)])

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A negative has what its pair has."""
        return np.concatenate([values, values])

    def _halves(self, table: FloatArray) -> tuple[FloatArray, FloatArray]:
        return table[: len(self)], table[len(self) :]

    def metrics(
        self, table: FloatArray, kept: npt.NDArray[np.bool_] | None = None
    ) -> dict[str, float]:
        """PR-AUC and ROC-AUC of pairs against negatives, means over labels."""
        rows = slice(None) if kept is None else kept
        score, negatives = self._halves(table)
        return contrast_metrics(self.labels[rows], score[rows], negatives[rows])

    def interval(self, table: FloatArray, cluster: IntArray, seed: int = 0) -> dict[str, Any]:
        """95 % intervals over draws of clusters."""
        return contrast_bootstrap(self.labels, *self._halves(table), cluster, seed=seed)

    def draws(self, table: FloatArray, cluster: IntArray, seed: int = 0) -> FloatArray:
        """PR-AUC of all pairs, then of draws of clusters."""
        return contrast_draws(self.labels, *self._halves(table), cluster, seed=seed)[:, 0]

    def better_by(self, table: FloatArray, other: FloatArray, cluster: IntArray) -> dict[str, Any]:
        """Paired bootstrap against another table."""
        ours, theirs = self._halves(table), self._halves(other)
        return contrast_paired_bootstrap(self.labels, ours, theirs, cluster)

    def loss(self, logits: Tensor, rows: Rows) -> Tensor:
        """Mean binary cross-entropy over the labels that pairs carry: 1, of negatives 0.

        (docs/methods/emergnn.md, eq. 8)
        """
        import torch
        from torch.nn import functional as F

        carried = torch.from_numpy(self.labels[rows])
        true, false = logits[: len(rows)][carried], logits[len(rows) :][carried]
        scored = torch.cat([true, false])
        wanted = torch.cat([torch.ones_like(true), torch.zeros_like(false)])
        return F.binary_cross_entropy_with_logits(scored, wanted)
