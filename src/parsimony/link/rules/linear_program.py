r"""Which rules of a relation to use, and how much each weighs: a linear program.

With f_k(q, y) = 1 where rule k leads to candidate y of question q, a book answers with the score
Σ_k w_k f_k(q, y). A right answer y⁺ should score by 1 more than a wrong one y⁻; what it lacks is
its loss η. The weights of few rules minimise

    Σ_i m_i η_i + λ Σ_k c_k w_k,   η_i ≥ 0,  0 ≤ w_k ≤ 1
    η_i ≥ 1 - Σ_k w_k (f_k(q, y⁺) - f_k(q, y⁻))   for each pair i of right and wrong, counted m_i

where c_k = 1 + the atoms of rule k's body is its complexity. The price λ of complexity stands for
a bound: the weights are also those of least loss among all whose complexity Σ_k c_k w_k is at most
theirs, κ. One price for all relations is one bound for the whole book. After LPRules (S. Dash, J.
Gonçalves: Rule induction in knowledge graphs using linear programming, AAAI 2023), which bounds
the complexity of each relation's rules and lets false answers count in the objective.

Few rules weigh something, so that the program is solved over few: those whose reduced cost is
negative join until there is none, which makes the solution that of the whole program.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog

from parsimony.link.rules.evidence import Evidence

__all__ = ["Pairs", "pairs_of", "weights_at"]

Floats = npt.NDArray[np.float64]
JOINING = 30  # rules that join at once
_TOLERANCE = 1e-7


class Pairs(NamedTuple):
    """Right answers against wrong ones.

    Attributes
    ----------
    difference : sparse (n_pairs, n_rules)
        1 where the rule leads to the right one alone, -1 to the wrong one alone.
    often : (n_pairs,)
        How often each occurs.
    complexity : (n_rules,)
    """

    difference: Any
    often: Floats
    complexity: Floats

    @property
    def dearest(self) -> float:
        """The price from which on no rule is worth anything."""
        if not self.difference.shape[0]:
            return 0.0
        return float((self.difference.T @ self.often / self.complexity).max(initial=0.0))

    def loss(self, weights: Floats) -> float:
        """What is missing to a lead of 1, in sum."""
        return float(self.often @ np.maximum(1 - self.difference @ weights, 0))


def pairs_of(evidence: Evidence, complexity: Floats, answers: float) -> Pairs:
    """Return the distinct pairs of right and wrong candidates.

    Parameters
    ----------
    evidence
        The target of what is right is positive.
    complexity : (n_rules,)
    answers
        How many answers the relation has in all: how often they occur sums up to that.
    """
    right = evidence.target > 0
    first, second, weight = [], [], []
    for low, high in zip(evidence.ptr[:-1].tolist(), evidence.ptr[1:].tolist(), strict=True):
        good, bad = (low + np.flatnonzero(each) for each in (right[low:high], ~right[low:high]))
        first.append(np.repeat(good, len(bad)))
        second.append(np.tile(bad, len(good)))
        weight.append(np.full(len(good) * len(bad), 1 / max(len(bad), 1)))
    fires = evidence.fires
    difference = (fires[np.concatenate(first)] - fires[np.concatenate(second)]).tocsr()
    difference.eliminate_zeros()
    # Equal rows are found by two sums of random numbers that cannot overflow.
    random = np.random.default_rng(0).integers(1 << 40, size=(difference.shape[1], 2))
    keys = difference.astype(np.int64) @ random
    _, at, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    often: Floats = np.bincount(inverse.ravel(), np.concatenate(weight), len(at)).astype(float)
    return Pairs(difference[at], often * answers / max(often.sum(), 1e-9), complexity)


def weights_at(pairs: Pairs, price: float, start: npt.NDArray[np.intp]) -> Floats:
    """Return the weights at a price, (n_rules,).

    Parameters
    ----------
    start
        Rules that the search begins with; the solution does not depend on them.
    """
    n_rules = pairs.difference.shape[1]
    weights, columns = np.zeros(n_rules), pairs.difference.tocsc()
    used = np.zeros(n_rules, bool)
    used[start] = True
    while True:
        chosen = np.flatnonzero(used)
        weights[:] = 0
        value = pairs.often.copy()  # of a unit of each pair's lead
        part = columns[:, chosen].tocsr()
        touched = np.flatnonzero(np.diff(part.indptr))
        if len(chosen) and len(touched):
            weights[chosen], value[touched] = _solved(
                part[touched], pairs.often[touched], price * pairs.complexity[chosen]
            )
        reduced = price * pairs.complexity - pairs.difference.T @ value
        reduced[used] = 0
        new = np.argsort(reduced, kind="stable")[:JOINING]
        new = new[reduced[new] < -_TOLERANCE * max(1.0, price)]
        if not len(new):
            return weights
        used[new] = True


def _solved(difference: Any, often: Floats, cost: Floats) -> tuple[Floats, Floats]:
    """Solve the program over some rules; return the weights, and the pairs' dual values."""
    n_pairs, n_rules = difference.shape
    found = linprog(
        np.concatenate([cost, often]),
        A_ub=sparse.hstack([-difference, -sparse.eye_array(n_pairs)], format="csc"),
        b_ub=np.full(n_pairs, -1.0),
        bounds=np.repeat([[0.0, 1.0], [0.0, np.inf]], [n_rules, n_pairs], axis=0),
        method="highs",
    )
    if found.x is None:  # never infeasible: η may be anything
        raise RuntimeError(f"the linear program was not solved: {found.message}")
    return found.x[:n_rules], -found.ineqlin.marginals
