"""Method "prior": how often each type occurs, at the known drug's place.

What popularity alone scores: for (a, b) the types of b's known interactions as second drug, and
those of a's as first, above the overall shares. Where pairs have several labels, the rates of both
drugs' labels (:mod:`parsimony.ddi.baselines.label_prevalence`).
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.ddi.baselines.label_prevalence import against_chance, label_rates
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator, select
from parsimony.ddi.task import DDITask
from parsimony.run.folder import RunFolder

SMOOTHINGS = (0.1, 1.0, 10.0)


class PriorParameters(base.Parameters):
    """Parameters of the label prior."""

    smoothing: float | None = Field(
        None, gt=0, description="weight of the overall shares, > 0; selected where left out"
    )
    seed: int = Field(0, ge=0, description="not used: counting draws nothing")


def type_shares(facts: IntArray, n_types: int) -> npt.NDArray[np.float64]:
    """Share of every type among facts, no type at zero: (n_types,)."""
    counts = np.bincount(facts[:, 1], minlength=n_types) + 1.0 / n_types
    shares: npt.NDArray[np.float64] = counts / counts.sum()
    return shares


class Prior(PairEstimator):
    """Label counts of the known drugs, smoothed by the overall shares."""

    method: ClassVar[str] = "prior"
    Parameters: ClassVar[type[base.Parameters]] = PriorParameters
    multilabel = True
    because = "how often either drug has this interaction, nothing else"

    def fit(
        self, task: DDITask, *, run: RunFolder | None = None, quiet: bool = True, **_: Any
    ) -> Prior:
        """Count, and select the smoothing on validation."""
        begin = time.perf_counter()
        self._begin(task, parameters=1)
        given = self.resolved_.smoothing
        choices = [{"smoothing": s} for s in (SMOOTHINGS if given is None else (given,))]
        chosen = select(self, choices, run, quiet)
        self.resolved_ = self.resolved_.model_copy(update=chosen)
        self.cost_.add()
        self.seconds_ = time.perf_counter() - begin
        return self

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        n_drugs, n_types = self.task_.data.n_drugs, self.task_.data.n_types
        if self.task_.labelling.multi:
            both, smoothing = self.task_.labelling.vote_facts(facts), self.resolved_.smoothing
            rates = label_rates(both, pairs, n_drugs, n_types, smoothing=smoothing)
            return against_chance(rates.popular, rates.overall)

        def counts(place: int) -> npt.NDArray[np.float64]:
            code = facts[:, place].astype(np.int64) * n_types + facts[:, 1]
            found = np.bincount(code, minlength=n_drugs * n_types).astype(np.float64)
            return found.reshape(n_drugs, n_types)

        found = counts(0)[pairs[:, 0]] + counts(2)[pairs[:, 1]]
        found += self.resolved_.smoothing * type_shares(facts, n_types)
        shares: FloatArray = found / found.sum(1, keepdims=True)
        return shares

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {"smoothing": np.array([self.resolved_.smoothing])}

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        update = {"smoothing": float(tensors["smoothing"][0])}
        self.resolved_ = self.resolved_.model_copy(update=update)
