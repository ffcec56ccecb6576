"""Method "neighbours": what the structurally similar drugs do with the partner.

An emerging drug a votes for type r with b by Σ_x s(a, x)^p over the known facts (x, r, b), s the
Tanimoto similarity of Morgan fingerprints. A drug that is known itself keeps its own place; where
both are known each is replaced in turn, where both emerge both at once:
Σ_(x, r, y) s(a, x)^p s(b, y)^p. Where pairs have several labels the votes are rates
(:mod:`parsimony.ddi.baselines.label_prevalence`).
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.ddi.analogues import alike_sentence, most_alike
from parsimony.ddi.baselines.label_prevalence import against_chance, label_rates, similar_rates
from parsimony.ddi.baselines.neighbour_scores import similarity, votes_for
from parsimony.ddi.baselines.prior import type_shares
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator, select
from parsimony.ddi.leave_pair_out import unseen
from parsimony.ddi.task import DDITask
from parsimony.run.folder import RunFolder

POWERS = (2.0, 3.0, 4.0, 6.0, 8.0)
SMOOTHINGS = (1e-6, 1e-3)
SMOOTHINGS_OF_RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


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
    multilabel = True

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
        smoothings = SMOOTHINGS_OF_RATES if task.labelling.multi else SMOOTHINGS
        choices = [
            {"power": power, "smoothing": smoothing}
            for power in (POWERS if given.power is None else (given.power,))
            for smoothing in (smoothings if given.smoothing is None else (given.smoothing,))
        ]
        chosen = select(self, choices, run, quiet)
        self.resolved_ = given.model_copy(update=chosen)
        self.cost_.add()
        self.seconds_ = time.perf_counter() - begin
        return self

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        if self.task_.labelling.multi:
            return self._rated(pairs, facts)
        new = np.ones(self.task_.data.n_drugs, bool)
        new[facts[:, [0, 2]]] = False
        return self._voted(pairs, facts, new[pairs], type_shares(facts, self.task_.data.n_types))

    def asked_alone(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs, for each the interactions of its drugs unseen."""
        facts, data = self.task_.visible("test"), self.task_.data
        if self.task_.labelling.multi:
            return self._rated(pairs, facts)
        # a drug has no vote for itself, so a pair's own interactions have none
        known = unseen(facts, pairs, data.n_drugs, data.n_types)
        return self._voted(pairs, facts, known.new, known.shares)

    def _voted(
        self, pairs: IntArray, facts: IntArray, new: npt.NDArray[np.bool_], overall: FloatArray
    ) -> FloatArray:
        votes = votes_for(
            similarity(self.fingerprints_, self.resolved_.power), facts, pairs,
            self.task_.data.n_types, first=new[:, 0], second=new[:, 1],
        )  # fmt: skip
        votes += self.resolved_.smoothing * overall
        shares: FloatArray = votes / votes.sum(1, keepdims=True)
        return shares

    def _rated(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        """Of labels; what a pair itself carries is not counted, so that it need not be hidden."""
        data, p = self.task_.data, self.resolved_
        both = self.task_.labelling.vote_facts(facts)
        rates = label_rates(both, pairs, data.n_drugs, data.n_types)
        similar = similarity(self.fingerprints_, p.power)
        found = similar_rates(similar, both, pairs, rates, p.smoothing)
        return against_chance(found, rates.overall)

    def reasons(self, rows: IntArray) -> list[str]:
        """Return, for asked (drug1, type, drug2), the most similar drug with that interaction."""
        data = self.task_.data
        facts = self.task_.labelling.vote_facts(self.task_.visible("test"))
        said = []
        for u, t, v in rows.tolist():
            best = most_alike(self.fingerprints_, facts, u, t, v)
            said.append(
                alike_sentence(data, u, v, best[0])
                if best
                else "no similar drug has it: only how common the type is"
            )
        return said

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {"chosen": np.array([self.resolved_.power, self.resolved_.smoothing])}

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        power, smoothing = tensors["chosen"].tolist()
        self.resolved_ = self.resolved_.model_copy(update={"power": power, "smoothing": smoothing})
