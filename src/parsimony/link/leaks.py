"""Relations that repeat or mirror each other, and test facts that they give away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.graph import KnowledgeGraph
from parsimony.graph.distinct import distinct_triples

__all__ = ["THRESHOLD", "Overlap", "find_overlaps", "leaked"]

BoolArray = npt.NDArray[np.bool_]
# Of both relations' pairs, as in the audit of FB15k that led to FB15k-237.
THRESHOLD = 0.8


@dataclass(frozen=True)
class Overlap:
    """Two relations that hold (nearly) the same pairs.

    Attributes
    ----------
    kind : str
        ``duplicate``: r(x, y) and s(x, y); ``inverse``: r(x, y) and s(y, x); ``symmetric``: an
        inverse of itself.
    first, second : int
        Relation ids, ``first ≤ second``.
    shared : int
        Pairs that both hold.
    share_first, share_second : float
        Shared pairs as a fraction of each relation's own.
    """

    kind: str
    first: int
    second: int
    shared: int
    share_first: float
    share_second: float


def find_overlaps(graph: KnowledgeGraph, threshold: float = THRESHOLD) -> list[Overlap]:
    """Find duplicate, inverse and symmetric relations.

    Parameters
    ----------
    graph : KnowledgeGraph
    threshold : float
        Least fraction of both relations' distinct pairs; self-loops count for no inverse.

    Returns
    -------
    list of Overlap
        Most shared pairs first.
    """
    n, n_relations = graph.n_entities, graph.n_relations
    triples = distinct_triples(graph.triples, n, n_relations).astype(np.int64)
    head, relation, tail = triples.T
    pairs, pair_of = np.unique(
        np.concatenate([head * n + tail, tail * n + head]), return_inverse=True
    )
    forward, backward = pair_of.reshape(2, -1)
    shape = (len(pairs), n_relations)
    ones = np.ones(len(triples), dtype=np.int64)
    # holds[p, r] = 1 where relation r holds pair p; the products count shared pairs.
    holds = sparse.csr_matrix((ones, (forward, relation)), shape=shape)
    proper = head != tail
    mirrored = sparse.csr_matrix((ones[proper], (backward[proper], relation[proper])), shape=shape)
    size = np.bincount(relation, minlength=n_relations)
    proper_size = np.bincount(relation[proper], minlength=n_relations)
    found = _pairs("duplicate", holds.T @ holds, size, threshold)
    found += _pairs("inverse", holds.T @ mirrored, proper_size, threshold)
    return sorted(found, key=lambda o: (-o.shared, o.kind, o.first, o.second))


def _pairs(
    pattern: str, shared: sparse.csr_matrix, size: npt.NDArray[np.int64], threshold: float
) -> list[Overlap]:
    table = shared.tocoo()
    found = []
    for r, s, count in zip(table.row, table.col, table.data, strict=True):
        if r > s or (pattern == "duplicate" and r == s) or not size[r] or not size[s]:
            continue
        shares = count / size[r], count / size[s]
        if min(shares) >= threshold:
            name = "symmetric" if r == s else pattern
            found.append(Overlap(name, int(r), int(s), int(count), *map(float, shares)))
    return found


def leaked(
    triples: npt.NDArray[np.int32], graph: KnowledgeGraph, overlaps: list[Overlap]
) -> dict[str, BoolArray]:
    """Mark the triples that the graph gives away.

    Parameters
    ----------
    triples : int32 array, shape (n, 3)
        Facts to be predicted.
    graph : KnowledgeGraph
        Facts that are known.
    overlaps : list of Overlap
        Relations that stand for each other.

    Returns
    -------
    dict of str to bool array, shape (n,)
        ``exact``: the fact itself is in the graph; ``inverse``: a fact of an inverse or
        symmetric relation says the same; ``duplicate``: a fact of a duplicate relation does;
        ``linked``: some fact joins the two entities, in whichever direction.
    """
    n, n_relations = graph.n_entities, graph.n_relations
    known = np.sort(_key(graph.triples, n, n_relations))
    inverse: list[tuple[int, int]] = []
    same: list[tuple[int, int]] = []
    for o in overlaps:
        target = {"duplicate": same}.get(o.kind, inverse)
        target += [(o.first, o.second), (o.second, o.first)]
    result = {"exact": _among(_key(triples, n, n_relations), known)}
    for name, substitutes, flip in (("inverse", inverse, True), ("duplicate", same, False)):
        hit = np.zeros(len(triples), dtype=bool)
        for r, s in set(substitutes):
            of_r = triples[:, 1] == r
            other = triples[of_r][:, [2, 1, 0]] if flip else triples[of_r].copy()
            other[:, 1] = s
            hit[of_r] |= _among(_key(other, n, n_relations), known)
        result[name] = hit
    joined = np.sort(graph.triples[:, 0].astype(np.int64) * n + graph.triples[:, 2])
    head, tail = triples[:, 0].astype(np.int64), triples[:, 2].astype(np.int64)
    result["linked"] = _among(head * n + tail, joined) | _among(tail * n + head, joined)
    return result


def _key(triples: npt.NDArray[np.int32], n: int, n_relations: int) -> npt.NDArray[np.int64]:
    head, relation, tail = triples.T.astype(np.int64)
    key: npt.NDArray[np.int64] = (head * n_relations + relation) * n + tail
    return key


def _among(keys: npt.NDArray[np.int64], known: npt.NDArray[np.int64]) -> BoolArray:
    """Say which keys are among the sorted known ones; np.isin would sort those every time."""
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    found: BoolArray = known[place] == keys
    return found
