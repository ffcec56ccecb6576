"""Method "prior": how often each type occurs with the known drugs, at their place in the pair.

The popularity baseline: for (a, b) it counts the types of a's known interactions as first drug and
of b's as second, smoothed by the overall frequencies (docs/methods/ddi_baselines.md, eq. 1). Where
pairs have several labels, it multiplies the prevalence of both drugs' labels
(:mod:`parsimony.ddi.baselines.label_prevalence`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony.base import Fitting, Parameters, constructor
from parsimony.ddi.baselines.label_prevalence import label_prevalence, lift_probability
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator, Tensors, chosen
from parsimony.run.restoring import require_tensors

SMOOTHINGS = (0.1, 1.0, 10.0)


class PriorParameters(Parameters):
    """Parameters of the label prior."""

    smoothing: float | None = Field(
        None,
        ge=1e-12,
        le=1e6,
        description="weight of the overall frequencies, 1e-12 … 1e6; selected where left out",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="not used: counting draws nothing")


def type_frequencies(facts: IntArray, n_types: int) -> npt.NDArray[np.float64]:
    """Relative frequency of every type among facts, none at zero: (n_types,)."""
    counts = np.bincount(facts[:, 1], minlength=n_types) + 1.0 / n_types
    frequencies: npt.NDArray[np.float64] = counts / counts.sum()
    return frequencies


class Prior(PairEstimator[PriorParameters]):
    """Label counts of the known drugs, smoothed by the overall frequencies."""

    method = "prior"
    paper = "baseline: label frequencies"
    Parameters = PriorParameters
    __init__ = constructor(PriorParameters)
    multilabel = True

    def _learn(self, fitting: Fitting) -> None:
        self.parameters_count_ = 1
        given = self.resolved_.smoothing
        choices = [{"smoothing": s} for s in (SMOOTHINGS if given is None else (given,))]
        self._choose(choices, fitting)

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        n_drugs, n_types = self.task_.data.n_drugs, self.task_.data.n_types
        smoothing = chosen(self.resolved_.smoothing)
        if self.task_.labelling.multi:
            both = self.task_.labelling.counted_facts(facts)
            rates = label_prevalence(both, pairs, n_drugs, n_types, smoothing=smoothing)
            return lift_probability(rates.popular, rates.overall)

        def counts(place: int) -> npt.NDArray[np.float64]:
            code = facts[:, place].astype(np.int64) * n_types + facts[:, 1]
            found = np.bincount(code, minlength=n_drugs * n_types).astype(np.float64)
            return found.reshape(n_drugs, n_types)

        found = counts(0)[pairs[:, 0]] + counts(2)[pairs[:, 1]]
        found += smoothing * type_frequencies(facts, n_types)
        probabilities: FloatArray = found / found.sum(1, keepdims=True)
        return probabilities

    def reasons(self, rows: IntArray) -> list[str]:
        """Return, for each (drug1, type, drug2), how often either drug has that interaction."""
        data, labelling = self.task_.data, self.task_.labelling
        facts = labelling.counted_facts(self.task_.visible("test"))
        said = []
        for u, t, v in rows.tolist():
            others = facts[~np.isin(facts[:, [0, 2]], (u, v)).all(1)]
            counts = []
            for drug, place in ((u, 0), (v, 2)):
                own = others[others[:, place] == drug]
                of = f"{np.count_nonzero(own[:, 1] == t):,} of {len(own):,}"
                counts.append(f"{of} of {data.label(drug)}")
            where = "" if labelling.multi else " at its place in the pair"
            said.append(f"how often either drug has it{where}: {', '.join(counts)}")
        return said

    def _tensors(self) -> Tensors:
        return {"smoothing": np.array([chosen(self.resolved_.smoothing)])}

    def _rebuild(self, tensors: Tensors) -> None:
        require_tensors(tensors, {"smoothing": (1,)})
        update = {"smoothing": float(tensors["smoothing"][0])}
        self.resolved_ = self._validate(self.resolved_.model_dump() | update)
        self.parameters_count_ = 1
