"""Method "neighbours": what the structurally similar drugs do with the partner.

An emerging drug a votes for type r with b by Σ_x s(a, x)^p over the known facts (x, r, b), s the
Tanimoto similarity of Morgan fingerprints. A drug that is known itself keeps its own place; where
both are known each is replaced in turn, where both emerge both at once:
Σ_(x, r, y) s(a, x)^p s(b, y)^p.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.datasets.fingerprints import tanimoto
from parsimony.pairs.pair_estimator import FloatArray, IntArray, PairEstimator, select
from parsimony.pairs.prior import type_shares
from parsimony.run.folder import RunFolder
from parsimony.tasks.ddi import DDITask

POWERS = (2.0, 3.0, 4.0, 6.0, 8.0)
SMOOTHINGS = (1e-6, 1e-3)


class NeighboursParameters(base.Parameters):
    """Parameters of similarity-weighted neighbours."""

    power: float | None = Field(
        None, gt=0, description="exponent p of the similarity, > 0; selected where left out"
    )
    smoothing: float | None = Field(
        None, gt=0, description="weight of the types' overall shares, > 0; selected if left out"
    )
    seed: int = Field(0, ge=0, description="not used: counting draws nothing")


class Neighbours(PairEstimator):
    """Interactions of the most similar known drugs, by Tanimoto^p."""

    method: ClassVar[str] = "neighbours"
    Parameters: ClassVar[type[base.Parameters]] = NeighboursParameters
    structural = True

    def fit(
        self, task: DDITask, *, run: RunFolder | None = None, quiet: bool = True, **_: Any
    ) -> Neighbours:
        """Compare structures, and select power and smoothing on validation.

        Raises
        ------
        FormatError
            A SMILES that cannot be read.
        MissingExtra
            RDKit is not installed.
        """
        begin = time.perf_counter()
        self._begin(task, parameters=2)
        given = self.resolved_
        choices = [
            {"power": power, "smoothing": smoothing}
            for power in (POWERS if given.power is None else (given.power,))
            for smoothing in (SMOOTHINGS if given.smoothing is None else (given.smoothing,))
        ]
        chosen = select(self, choices, run, quiet)
        self.resolved_ = given.model_copy(update=chosen)
        self.ledger_.add()
        self.seconds_ = time.perf_counter() - begin
        return self

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        n_types = self.task_.data.n_types
        known = np.zeros(self.task_.data.n_drugs, bool)
        known[facts[:, [0, 2]]] = True
        similar = tanimoto(self.fingerprints_, self.fingerprints_) ** self.resolved_.power
        np.fill_diagonal(similar, 0)  # a drug is not its own neighbour
        votes = np.zeros((len(pairs), n_types))
        first, second = known[pairs[:, 0]], known[pairs[:, 1]]
        for own, partner_known in ((0, second), (1, first)):
            # Facts turned so that column 0 is the drug to replace and column 2 its partner.
            turned = facts if own == 0 else facts[:, ::-1]
            rows = np.flatnonzero(partner_known)
            votes[rows] += _voted(similar, turned, pairs[rows, own], pairs[rows, 1 - own], n_types)
        both = np.flatnonzero(~first & ~second)
        votes[both] = _voted_twice(similar, facts, pairs[both], n_types)
        votes += self.resolved_.smoothing * type_shares(facts, n_types)
        shares: FloatArray = votes / votes.sum(1, keepdims=True)
        return shares

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {"chosen": np.array([self.resolved_.power, self.resolved_.smoothing])}

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        power, smoothing = tensors["chosen"].tolist()
        self.resolved_ = self.resolved_.model_copy(update={"power": power, "smoothing": smoothing})


def _voted(
    similar: npt.NDArray[np.float32],
    facts: IntArray,
    drug: IntArray,
    partner: IntArray,
    n_types: int,
) -> npt.NDArray[np.float64]:
    """Σ_x s(drug, x) over facts (x, r, partner), for every pair and type r: (n, n_types)."""
    votes = np.zeros((len(drug), n_types))
    facts = facts[np.argsort(facts[:, 2], kind="stable")]
    for b, rows in _grouped(partner):
        low, high = np.searchsorted(facts[:, 2], [b, b + 1])
        neighbour, kind = facts[low:high, 0], facts[low:high, 1]
        one_hot = np.zeros((high - low, n_types), np.float32)
        one_hot[np.arange(high - low), kind] = 1
        votes[rows] = similar[np.ix_(drug[rows], neighbour)] @ one_hot
    return votes


def _grouped(drug: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield every drug with the rows that it stands in."""
    order = np.argsort(drug, kind="stable").astype(np.int32)
    drugs, start = np.unique(drug[order], return_index=True)
    for number, rows in zip(drugs, np.split(order, start)[1:], strict=True):
        yield int(number), rows


def _voted_twice(
    similar: npt.NDArray[np.float32], facts: IntArray, pairs: IntArray, n_types: int
) -> npt.NDArray[np.float64]:
    """Σ s(a, x) s(b, y) over facts (x, r, y), for every pair (a, b) and type r: (n, n_types)."""
    votes = np.zeros((len(pairs), n_types))
    n_drugs = len(similar)
    place = facts[:, 2].astype(np.int64) * n_types + facts[:, 1]
    for a, rows in _grouped(pairs[:, 0]):
        weight = similar[a, facts[:, 0]]
        moved = np.bincount(place, weight, n_drugs * n_types).reshape(n_drugs, n_types)
        votes[rows] = similar[pairs[rows, 1]] @ moved.astype(np.float32)
    return votes
