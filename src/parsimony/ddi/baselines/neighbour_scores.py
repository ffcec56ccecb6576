"""Similarity-weighted k-NN label scores of pairs (docs/methods/ddi_baselines.md, eq. 2).

    S0, S1  v_r(a, b) = Σ_(x, r, b) s(a, x)^p, where a is replaced, and likewise where b is
    S2      v_r(a, b) = Σ_(x, r, y) s(a, x)^p s(b, y)^p

s is the Tanimoto similarity. Self-similarity is 0, so a drug's own interactions never contribute
(leave-one-out): a pair whose drugs have interactions gets the scores that it would get if the
replaced drugs were new.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import tanimoto

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
Similarity = npt.NDArray[np.float32]
MANY = 64  # partners


def similarity(fingerprints: npt.NDArray[np.uint8], power: float) -> Similarity:
    """s(a, b)^p of all drugs, 0 on the diagonal: (n_drugs, n_drugs)."""
    similar = tanimoto(fingerprints, fingerprints) ** np.float32(power)
    np.fill_diagonal(similar, 0)
    return similar


def neighbour_scores(
    similar: Similarity,
    facts: IntArray,
    pairs: IntArray,
    n_types: int,
    *,
    first: npt.NDArray[np.bool_],
    second: npt.NDArray[np.bool_],
) -> FloatArray:
    """Scores (n, n_types) of ordered pairs (n, 2).

    Parameters
    ----------
    similar
        Of :func:`similarity`.
    facts
        Known (drug1, type, drug2).
    first, second
        (n,) whether the pair's first, and its second drug is treated as new. Where neither is,
        each is replaced in turn and the scores are added; where both are, both at once.
    """
    scores = np.zeros((len(pairs), n_types))
    rows = np.flatnonzero(first ^ second | ~(first | second))
    for own, new in ((0, first), (1, second)):
        # Facts turned so that column 0 is the drug to replace and column 2 its partner.
        turned = facts if own == 0 else facts[:, ::-1]
        at = rows[new[rows] | ~(first | second)[rows]]
        if not len(at):
            continue
        scores[at] += _one_replaced(similar, turned, pairs[at, own], pairs[at, 1 - own], n_types)
    # Grouped by the drug that occurs more often, whichever its place.
    often = np.bincount(pairs.ravel(), minlength=len(similar))[pairs]
    for turn, chosen in ((1, often[:, 0] >= often[:, 1]), (-1, often[:, 0] < often[:, 1])):
        both = np.flatnonzero(first & second & chosen)
        if not len(both):
            continue
        turned, of = facts[:, ::turn], pairs[both][:, ::turn]
        scores[both] = _both_replaced(similar, turned, of, n_types)
    return scores


def _one_replaced(
    similar: Similarity, facts: IntArray, drug: IntArray, partner: IntArray, n_types: int
) -> FloatArray:
    """Σ_x s(drug, x) over facts (x, r, partner), for every pair and type r: (n, n_types)."""
    scores = np.zeros((len(drug), n_types))
    n_drugs = len(similar)
    # A drug with many partners: one pass over all facts serves them together.
    often = np.bincount(drug, minlength=n_drugs)[drug] >= MANY
    place = facts[:, 2].astype(np.int64) * n_types + facts[:, 1] if often.any() else facts[:0, 1]
    for a, at in _grouped(drug[often]):
        rows = np.flatnonzero(often)[at]
        moved = np.bincount(place, similar[a, facts[:, 0]], n_drugs * n_types)
        scores[rows] = moved.reshape(n_drugs, n_types)[partner[rows]]
    rest = np.flatnonzero(~often)
    wanted = np.zeros(n_drugs, bool)
    wanted[partner[rest]] = True
    facts = facts[wanted[facts[:, 2]]]
    facts = facts[np.argsort(facts[:, 2], kind="stable")]
    for b, at in _grouped(partner[rest]):
        rows = rest[at]
        low, high = np.searchsorted(facts[:, 2], [b, b + 1])
        neighbour, kind = facts[low:high, 0], facts[low:high, 1]
        one_hot = np.zeros((high - low, n_types), np.float32)
        one_hot[np.arange(high - low), kind] = 1
        scores[rows] = similar[np.ix_(drug[rows], neighbour)] @ one_hot
    return scores


def _grouped(drug: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield every drug with the rows that it stands in."""
    order = np.argsort(drug, kind="stable").astype(np.int32)
    drugs, start = np.unique(drug[order], return_index=True)
    for number, rows in zip(drugs, np.split(order, start)[1:], strict=True):
        yield int(number), rows


def _both_replaced(
    similar: Similarity, facts: IntArray, pairs: IntArray, n_types: int
) -> FloatArray:
    """Σ s(a, x) s(b, y) over facts (x, r, y) without a and b, for every pair and type r."""
    scores = np.zeros((len(pairs), n_types))
    n_drugs = len(similar)
    place = facts[:, 2].astype(np.int64) * n_types + facts[:, 1]
    # Facts (b, r, y) of every b, weighted by s(b, y): what must be taken away where x = b.
    own = facts[:, 0].astype(np.int64) * n_types + facts[:, 1]
    weight = similar[facts[:, 0], facts[:, 2]].astype(np.float64)
    of_first = np.bincount(own, weight, n_drugs * n_types).reshape(n_drugs, n_types)
    for a, rows in _grouped(pairs[:, 0]):
        b = pairs[rows, 1]
        moved = np.bincount(place, similar[a, facts[:, 0]], n_drugs * n_types)
        moved = moved.reshape(n_drugs, n_types)
        moved[a] = 0  # y = a
        taken = of_first[b]
        to_a = facts[facts[:, 2] == a]  # y = a was not added, and so is not taken away
        back = np.zeros((n_drugs, n_types))
        np.add.at(back, (to_a[:, 0], to_a[:, 1]), similar[to_a[:, 0], a])
        taken = taken - back[b]
        found = similar[b] @ moved.astype(np.float32) - similar[a, b][:, None] * taken
        scores[rows] = np.maximum(found, 0)  # differences of rounded sums
    return scores
