"""What differs between pairs of one type and pairs of several labels, in one place.

A labelling makes pair targets of rows (drug1, type, drug2), says which edges the known
interactions are in a graph, and turns logits into probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.ddi.data import DDIData
from parsimony.ddi.negatives import draw_negatives, unordered
from parsimony.ddi.targets import MulticlassPairs, MultilabelPairs, PairTargets

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MultiLabel", "SingleLabel"]

IntArray = npt.NDArray[np.int32]


class SingleLabel:
    """Ordered pairs, one type each."""

    multi: ClassVar[bool] = False
    #: the measure that validation selects by
    primary: ClassVar[str] = "macro_f1"

    def __init__(self, data: DDIData) -> None:
        self.n_drugs, self.n_types, self.label = data.n_drugs, data.n_types, data.label

    @property
    def n_relations(self) -> int:
        """Relations that interactions have in a graph."""
        return self.n_types

    def orders(self, a: int, b: int) -> tuple[tuple[int, int], ...]:
        """The ordered pairs of two drugs: each has its own types."""
        return (a, b), (b, a)

    def pair_rows(self, rows: IntArray) -> tuple[IntArray, npt.NDArray[np.int64]]:
        """One row (drug1, type, drug2) a pair, and the pair of every given row."""
        return rows, np.arange(len(rows))

    def rows_of(self, rows: IntArray, chosen: npt.NDArray[np.int64]) -> IntArray:
        """The rows of some pairs, by their numbers in :meth:`pair_rows`."""
        return rows[chosen]

    def notes(self, rows: IntArray) -> list[str]:
        """Say of training rows (drug1, type, drug2) where a pair has several, and what is done."""
        code = rows[:, 0].astype(np.int64) * self.n_drugs + rows[:, 2]
        pairs, count = np.unique(code, return_counts=True)
        several = rows[np.isin(code, pairs[count > 1])]
        if not len(several):
            return []
        n = int((count > 1).sum())
        repeated = len(several) - len(np.unique(several, axis=0))
        return [
            f"{n:,} pair{'s' * (n != 1)} of train with several rows ({len(several):,} in all, of "
            f"which {repeated:,} repeat another): each row is trained by itself, as a pair of one "
            "type; write a pair's labels into one row, separated by commas, to learn them together"
        ]

    def graph_facts(self, rows: IntArray) -> IntArray:
        """Interactions as facts (drug1, relation, drug2) of a graph."""
        return rows

    def counted_facts(self, rows: IntArray) -> IntArray:
        """Interactions as facts (drug1, type, drug2) to count for an ordered pair."""
        return rows

    def targets(
        self,
        rows: IntArray,
        role: npt.NDArray[np.integer],
        observed: IntArray,
        generator: np.random.Generator,
        *,
        training: bool = False,
    ) -> PairTargets:
        """Rows as pair targets.

        Parameters
        ----------
        rows
            (m, 3) drug1, type, drug2.
        role
            (n_drugs,) which drugs may replace which, as
            :func:`~parsimony.ddi.negatives.draw_negatives` takes it.
        observed
            (k, 2) pairs that no negative may be.
        generator
            Draws negatives, and in training the order of pairs that have none.
        """
        pairs = np.ascontiguousarray(rows[:, [0, 2]])
        return MulticlassPairs(pairs, self.n_types, rows[:, 1])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of the types, which exclude each other."""
        return logits.softmax(1)


class MultiLabel(SingleLabel):
    """Unordered pairs, several labels each.

    In the graph a pair is one edge of one relation in both directions, of weight 1 however many
    labels it has; as published the weight is the number of labels, by which sums over hubs grow.
    """

    multi = True
    primary = "pr_auc"

    def notes(self, rows: IntArray) -> list[str]:
        """Nothing: several rows of a pair are its labels."""
        return []

    @property
    def n_relations(self) -> int:
        """Relations that interactions have in a graph: one."""
        return 1

    def orders(self, a: int, b: int) -> tuple[tuple[int, int], ...]:
        """The ordered pairs of two drugs: one."""
        return ((a, b),)

    def pair_rows(self, rows: IntArray) -> tuple[IntArray, npt.NDArray[np.int64]]:
        """One row (lower drug, 0, higher drug) a pair, and the pair of every given row."""
        codes, of = np.unique(unordered(rows[:, [0, 2]], self.n_drugs), return_inverse=True)
        low, high = np.divmod(codes, self.n_drugs)
        found = np.stack([low, np.zeros_like(low), high], 1).astype(np.int32)
        return found, of.ravel()

    def rows_of(self, rows: IntArray, chosen: npt.NDArray[np.int64]) -> IntArray:
        """The rows of some pairs."""
        return rows[np.isin(self.pair_rows(rows)[1], chosen)]

    def graph_facts(self, rows: IntArray) -> IntArray:
        """Each pair once in each order."""
        pairs, _ = self.pair_rows(rows)
        return np.concatenate([pairs, pairs[:, ::-1]])

    def counted_facts(self, rows: IntArray) -> IntArray:
        """Each row once in each order."""
        return np.unique(np.concatenate([rows, rows[:, ::-1]]), axis=0)

    def targets(
        self,
        rows: IntArray,
        role: npt.NDArray[np.integer],
        observed: IntArray,
        generator: np.random.Generator,
        *,
        training: bool = False,
    ) -> PairTargets:
        """Pairs with their labels, each with a negative; see :meth:`SingleLabel.targets`."""
        found, of = self.pair_rows(rows)
        pairs = np.ascontiguousarray(found[:, [0, 2]])
        labels = np.zeros((len(pairs), self.n_types), bool)
        labels[of, rows[:, 1]] = True
        taken = unordered(observed, self.n_drugs)
        negatives = draw_negatives(pairs, role, taken, generator, self.label)
        if training:  # the order carries no information, and must not be learned
            turned = generator.random(len(pairs)) < 0.5
            pairs, negatives = (
                np.where(turned[:, None], drugs[:, ::-1], drugs) for drugs in (pairs, negatives)
            )
        return MultilabelPairs(pairs, self.n_types, labels, negatives)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of every label by itself: that it belongs to the pair and not to a negative."""
        return logits.sigmoid()
