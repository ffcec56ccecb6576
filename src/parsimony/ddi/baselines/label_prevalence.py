"""Prevalence of labels, where pairs may have several, and its lift (docs/methods/ddi_baselines.md).

q_l is the prevalence of label l among pairs of known drugs, r_l(a) that among a's pairs (eq. 4),

    r_l(a) = (c_l(a) + σ q_l) / (m + σ),

c_l(a) the partners with which a carries l, m the known drugs. A new drug has c = 0. By popularity
alone a pair (a, b) carries l at the rate r_l(a) r_l(b) / q_l. Among similar drugs x of a it is

    Σ_x s(a, x)^p [l in (x, b)] / Σ_x s(a, x)^p

(:mod:`parsimony.ddi.baselines.neighbour_scores`), shrunk towards popularity where few are similar.
What a pair itself carries is never counted for it. The answer is x / (x + q), x the rate for the
pair: the probability that the label is of this pair and not of a random one. With the lift x / q it
is lift / (1 + lift) (eq. 6).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.ddi.baselines.neighbour_scores import Similarity, neighbour_scores

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class LabelPrevalence(NamedTuple):
    """Of pairs (n, 2), their own labels left out.

    Attributes
    ----------
    overall : float64 array, shape (n_types,)
        q, no label at zero.
    popular : float64 array, shape (n, n_types)
        By popularity.
    new : bool array, shape (n, 2)
        Which drugs count as new.
    """

    overall: FloatArray
    popular: FloatArray
    new: BoolArray


def label_prevalence(
    facts: IntArray,
    pairs: IntArray,
    n_drugs: int,
    n_types: int,
    *,
    smoothing: float = 1.0,
    hidden: BoolArray | None = None,
) -> LabelPrevalence:
    """Prevalence of the labels, and their rates by popularity (eq. 4).

    Parameters
    ----------
    facts
        Known (drug, label, drug), each in both orders.
    pairs
        (n, 2) those to answer.
    smoothing
        σ.
    hidden
        (n, 2) drugs that count as new, beside those without another known interaction.
    """
    count = np.zeros((n_drugs, n_types))
    np.add.at(count, (facts[:, 0], facts[:, 1]), 1)
    known = max(int((count.sum(1) > 0).sum()), 2)
    overall = (count.sum(0) + 1 / n_types) / (known * (known - 1))
    left = count[pairs] - _own(facts, pairs, n_drugs, n_types)[:, None]  # (n, 2, n_types)
    new = left.sum(2) <= 0
    if hidden is not None:
        new |= hidden
    left[new] = 0
    rates = (left + smoothing * overall) / (known - 1 + smoothing)
    return LabelPrevalence(overall, rates[:, 0] * rates[:, 1] / overall, new)


def neighbour_rates(
    similar: Similarity,
    facts: IntArray,
    pairs: IntArray,
    prevalence: LabelPrevalence,
    smoothing: float,
) -> FloatArray:
    """Rates among similar drugs (eq. 5), (n, n_types); ``smoothing`` weighs popularity."""
    n_types = len(prevalence.overall)
    first, second = prevalence.new.T
    scores = neighbour_scores(similar, facts, pairs, n_types, first=first, second=second)
    known = np.zeros(len(similar), bool)
    known[facts[:, 0]] = True
    a, b = pairs.T
    near = similar[:, known].sum(1, dtype=np.float64)
    between = similar[a, b]
    of_first, of_second = near[a] - between * known[b], near[b] - between * known[a]
    mass = np.where(first & ~second, of_first, np.where(second & ~first, of_second, 0.0))
    mass = np.where(first & second, of_first * of_second, mass)
    mass = np.where(~first & ~second, of_first + of_second, mass)[:, None]
    mass = np.maximum(mass, 0)
    found: FloatArray = (scores + smoothing * prevalence.popular) / (mass + smoothing)
    return found


def lift_probability(rate: FloatArray, overall: FloatArray) -> FloatArray:
    """Return x / (x + q), for rates x (n, n_types) and prevalence q (n_types,) (eq. 6)."""
    return rate / (rate + overall)


def _own(facts: IntArray, pairs: IntArray, n_drugs: int, n_types: int) -> npt.NDArray[np.float32]:
    """1 where a label is of the pair itself, (n, n_types)."""
    code = facts[:, 0].astype(np.int64) * n_drugs + facts[:, 2]
    own_code = pairs[:, 0].astype(np.int64) * n_drugs + pairs[:, 1]
    distinct, of = np.unique(own_code, return_inverse=True)
    at = np.minimum(np.searchsorted(distinct, code), len(distinct) - 1)
    rows = np.flatnonzero(distinct[at] == code)
    own = np.zeros((len(distinct), n_types), np.float32)
    own[at[rows], facts[rows, 1]] = 1
    found: npt.NDArray[np.float32] = own[of.ravel()]
    return found
