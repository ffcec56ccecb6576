r"""Weights of the rules of one relation, fitted to the probabilities of a model.

With f_k(q, y) = 1 where rule k leads to candidate y of query q, a book answers with the score
s(q, y) = Σ_k w_k f_k(q, y): that of a noisy-or whose confidences are 1 - exp(-w_k). The weights
minimise, over w ≥ 0,

    Σ_q KL(P_model(· | q) ‖ softmax s(q, ·)) + λ Σ_k w_k

a convex problem, whose penalty makes most weights zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from parsimony.link.rules.combining import LARGEST
from parsimony.link.rules.evidence import Evidence

__all__ = ["Weighing"]

Floats = npt.NDArray[np.float64]
PENALTY = 1e-4  # λ per query


class Weighing(Evidence):
    """The weights that copy the model's probabilities, which are the target."""

    __slots__ = ()

    def loss(self, weights: Floats) -> tuple[float, Floats]:
        """What is minimised, but for the model's entropy; and its gradient."""
        p, partition = self.softmax(self.fires @ weights)
        penalty = PENALTY * (len(self.ptr) - 1)
        value = partition.sum() - self.target @ (self.fires @ weights) + penalty * weights.sum()
        return float(value), self.fires.T @ (p - self.target) + penalty

    def fit(self, start: Floats, rules: npt.NDArray[np.intp], steps: int) -> Floats:
        """Fit the weights of some of the rules, (n_rules,); those of the others are 0."""
        weights = np.zeros(self.fires.shape[1])
        if len(rules) and len(self.ptr) > 1:
            part = Weighing(self.fires[:, rules], self.target, self.ptr)
            found = minimize(
                part.loss, start[rules], jac=True, method="L-BFGS-B",
                bounds=[(0.0, LARGEST)] * len(rules), options={"maxiter": steps},
            )  # fmt: skip
            weights[rules] = found.x
        return weights

    def losses(self, weights: Floats) -> Floats:
        """How much the divergence grows when one rule alone is left out, (n_rules,)."""
        p, _ = self.softmax(self.fires @ weights)
        n = len(self.ptr) - 1
        of_query = sparse.csr_array(
            (np.ones(len(p)), np.arange(len(p)), self.ptr), shape=(n, len(p))
        )
        # P(the rule fires) by the rules: without it the partition sum loses P · (1 - exp(-w)).
        fires = (of_query @ self.fires.multiply(p[:, None])).tocoo()
        lost = np.log1p(-np.minimum(fires.data, 1.0) * -np.expm1(-weights[fires.col]))
        change = np.bincount(fires.col, lost, minlength=len(weights))
        found: Floats = weights * (self.fires.T @ self.target) + change
        return found
