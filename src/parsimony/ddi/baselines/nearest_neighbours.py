"""Method "neighbours": similarity-weighted nearest neighbours over the drugs' structures.

The score of type r for an emerging drug a with b is Σ_x s(a, x)^p over the known facts (x, r, b), s
the Tanimoto similarity of Morgan fingerprints. A drug that is known itself keeps its own place;
where both are known each is replaced in turn, where both emerge both at once:
Σ_(x, r, y) s(a, x)^p s(b, y)^p. Where pairs have several labels the scores are rates
(:mod:`parsimony.ddi.baselines.label_prevalence`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony.base import Fitting, Parameters, constructor
from parsimony.ddi.analogues import NO_ANALOGUE, analogue_sentence, nearest_analogues
from parsimony.ddi.baselines.label_prevalence import (
    label_prevalence,
    lift_probability,
    neighbour_rates,
)
from parsimony.ddi.baselines.neighbour_scores import neighbour_scores, similarity
from parsimony.ddi.baselines.prior import type_frequencies
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator, Tensors, chosen
from parsimony.ddi.grounds import ALIKE, COMMON
from parsimony.ddi.leave_pair_out import leave_pair_out
from parsimony.explain import Explanation
from parsimony.run.restoring import require_tensors

POWERS = (2.0, 3.0, 4.0, 6.0, 8.0)
SMOOTHINGS = (1e-6, 1e-3)
SMOOTHINGS_OF_RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


class NeighboursParameters(Parameters):
    """Parameters of similarity-weighted neighbours."""

    power: float | None = Field(
        None,
        gt=0,
        le=64,
        description="exponent p of the similarity, (0, 64]; selected where left out",
    )
    smoothing: float | None = Field(
        None,
        ge=1e-12,
        le=1e6,
        description="weight of the overall frequencies, 1e-12 … 1e6; selected where left out",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="not used: counting draws nothing")


class Neighbours(PairEstimator[NeighboursParameters]):
    """Interactions of the most similar known drugs, weighted by Tanimoto^p."""

    method = "neighbours"
    paper = "Vilar et al. 2012: similarity-based prediction"
    Parameters = NeighboursParameters
    __init__ = constructor(NeighboursParameters)
    structural = True
    multilabel = True

    def _learn(self, fitting: Fitting) -> None:
        self.parameters_count_ = 2
        given = self.resolved_
        smoothings = SMOOTHINGS_OF_RATES if self.task_.labelling.multi else SMOOTHINGS
        choices = [
            {"power": power, "smoothing": smoothing}
            for power in (POWERS if given.power is None else (given.power,))
            for smoothing in (smoothings if given.smoothing is None else (given.smoothing,))
        ]
        self._choose(choices, fitting)

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        if self.task_.labelling.multi:
            return self._label_rates(pairs, facts)
        new = np.ones(self.task_.data.n_drugs, bool)
        new[facts[:, [0, 2]]] = False
        overall = type_frequencies(facts, self.task_.data.n_types)
        return self._type_shares(pairs, facts, new[pairs], overall)

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs without the interactions of their own two drugs.

        A drug is no neighbour of itself, so these have no part in the scores anyway.
        """
        facts, data = self.task_.visible("test"), self.task_.data
        if self.task_.labelling.multi:
            return self._label_rates(pairs, facts)
        known = leave_pair_out(facts, pairs, data.n_drugs, data.n_types)
        return self._type_shares(pairs, facts, known.new, known.frequencies)

    def _type_shares(
        self, pairs: IntArray, facts: IntArray, new: npt.NDArray[np.bool_], overall: FloatArray
    ) -> FloatArray:
        scores = neighbour_scores(
            similarity(self.fingerprints_, chosen(self.resolved_.power)), facts, pairs,
            self.task_.data.n_types, first=new[:, 0], second=new[:, 1],
        )  # fmt: skip
        scores += chosen(self.resolved_.smoothing) * overall
        shares: FloatArray = scores / scores.sum(1, keepdims=True)
        return shares

    def _label_rates(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        """Of labels; what a pair itself carries is not counted, so that it need not be hidden."""
        data, p = self.task_.data, self.resolved_
        both = self.task_.labelling.counted_facts(facts)
        prevalence = label_prevalence(both, pairs, data.n_drugs, data.n_types)
        similar = similarity(self.fingerprints_, chosen(p.power))
        found = neighbour_rates(similar, both, pairs, prevalence, chosen(p.smoothing))
        return lift_probability(found, prevalence.overall)

    def reasons(self, rows: IntArray) -> list[str]:
        """Return, for each (drug1, type, drug2), the most similar drug with that interaction."""
        data = self.task_.data
        facts = self.task_.labelling.counted_facts(self.task_.visible("test"))
        said = []
        for u, t, v in rows.tolist():
            best = nearest_analogues(self.fingerprints_, facts, u, t, v)
            said.append(
                analogue_sentence(data, u, v, best[0])
                if best
                else f"{NO_ANALOGUE}: rests on {self._without_analogue(u, v)}"
            )
        return said

    def explain(
        self,
        head: str,
        relation: str | None,
        tail: str,
        *,
        n_paths: int = 5,
        seed: int = 0,
        draws: int = 0,
    ) -> Explanation:
        """Which known interactions speak for an answer, and what drugs that are not alike add.

        Parameters
        ----------
        head, tail
            Ids, external ids or names of the drugs.
        relation
            The interaction type; None for the most probable one of either order.
        n_paths
            How many known interactions to name.
        seed, draws
            Not used: nothing is drawn.

        Raises
        ------
        UnknownDrug, UnknownRelation
            With the nearest known name.
        FormatError
            A name that several drugs have.
        UsageError, InvalidParameter
            A drug with itself, or a count below 1.
        """
        from parsimony.ddi.emergnn.explain import NameFormatter, analogues, known_split
        from parsimony.ddi.explained_pair import ExplainedPair, require_counts

        self._require_fitted()
        require_counts(n_paths, draws)
        task, pair = self.task_, ExplainedPair.of(self, head, relation, tail)
        u, t, v = pair.numbers
        formatter = NameFormatter(task, task.data.n_types + len(task.background.relations))
        parts = {} if task.labelling.multi else self._parts(u, t, v)
        found = Explanation(
            query=(formatter.entity(u), formatter.type(t), formatter.entity(v)),
            claim=task.data.sentence(u, t, v),
            score=sum(parts.values()) if parts else pair.probability,
            probability=pair.probability,
            labels=formatter.labels,
            model=self.method,
            known=known_split(task.data, u, t, v),
            parts=parts,
            parts_note="Parts of the probability before calibration. A similarity below "
            f"{ALIKE} says nothing of a drug: what such drugs add is what the partner does.",
            analogues=analogues(task, self.fingerprints_, u, t, v, n_paths),
        )
        return self.noted(found, u, v)

    def _parts(self, u: int, t: int, v: int) -> dict[str, float]:
        """Divide the probability of a type, before calibration, by where it comes from."""
        data, p = self.task_.data, self.resolved_
        facts, pair = self.task_.visible("test"), np.array([[u, v]], np.int32)
        known = leave_pair_out(facts, pair, data.n_drugs, data.n_types)
        new = {"first": known.new[:, 0], "second": known.new[:, 1]}
        similar = similarity(self.fingerprints_, chosen(p.power))
        alike = np.where(similar >= np.float32(ALIKE) ** np.float32(chosen(p.power)), similar, 0)
        every, near = (
            neighbour_scores(scores, facts, pair, data.n_types, **new)[0]
            for scores in (similar, alike)
        )
        common = chosen(p.smoothing) * known.frequencies[0]
        total = float((every + common).sum())
        return {
            f"drugs alike {ALIKE} or more": float(near[t]) / total,
            "drugs that are not alike": float(every[t] - near[t]) / total,
            COMMON: float(common[t]) / total,
        }

    def _without_analogue(self, u: int, v: int) -> str:
        """What a score is made of where no drug is alike: the partner's other interactions."""
        both = self.grounds(u, v), self.grounds(v, u)
        pairs = zip(both, reversed(both), strict=True)
        known = [
            partner.label for drug, partner in pairs if drug.structure and partner.interactions
        ]
        if known:
            return f"what {' and '.join(known)} do{'es' * (len(known) == 1)} with other drugs"
        return COMMON

    def _tensors(self) -> Tensors:
        p = self.resolved_
        return {"chosen": np.array([chosen(p.power), chosen(p.smoothing)])}

    def _rebuild(self, tensors: Tensors) -> None:
        require_tensors(tensors, {"chosen": (2,)})
        power, smoothing = tensors["chosen"].tolist()
        update = {"power": power, "smoothing": smoothing}
        self.resolved_ = self._validate(self.resolved_.model_dump() | update)
        self.parameters_count_ = 2
