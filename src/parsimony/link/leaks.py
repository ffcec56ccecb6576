"""Relations that repeat or mirror each other, and facts that they give away.

Which relations stand for each other is a property of the data, not of a split: overlaps are counted
on the facts of all splits (:func:`all_facts`). A split of 80 % in train would thin out every
overlap, and a perfect inverse could fall below the threshold by chance. What is given away is
counted against the facts that a model sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.graph import KnowledgeGraph
from parsimony.graph.distinct import distinct_triples
from parsimony.graph.parts import by_node, stated
from parsimony.link.data import SPLITS, LinkData
from parsimony.metrics.proportion import wilson_interval

__all__ = ["THRESHOLD", "Overlap", "all_facts", "find_overlaps", "leaked", "renumbered"]

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
    size_first, size_second : int
        Pairs of each relation.
    """

    kind: str
    first: int
    second: int
    shared: int
    size_first: int
    size_second: int

    @property
    def shares(self) -> tuple[float, float]:
        """Shared pairs as a fraction of each relation's own."""
        return self.shared / self.size_first, self.shared / self.size_second

    @property
    def intervals(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """95 % intervals of both shares (Wilson)."""
        first, second = (
            wilson_interval(self.shared, n) for n in (self.size_first, self.size_second)
        )
        return first, second


def renumbered(data: LinkData, other: LinkData) -> npt.NDArray[np.int32]:
    """Ids for the entities of ``other``: those of ``data`` by name, new ones behind them."""
    index = {name: i for i, name in enumerate(data.entities)}
    n = data.n_entities
    return np.array([index.get(name, n + i) for i, name in enumerate(other.entities)], np.int32)


def all_facts(data: LinkData) -> KnowledgeGraph:
    """The facts of all splits, and of the inductive sibling, as one graph."""
    facts, n = [data.triples(split) for split in SPLITS], data.n_entities
    if data.inductive is not None:
        ids = renumbered(data, data.inductive)
        n += data.inductive.n_entities
        for split in SPLITS:
            head, relation, tail = data.inductive.triples(split).T
            facts.append(np.stack([ids[head], relation, ids[tail]], axis=1))
    triples = np.concatenate(facts)
    triples.flags.writeable = False  # so that the graph need not copy them
    return KnowledgeGraph(triples, n, data.n_relations)


def find_overlaps(graph: KnowledgeGraph, threshold: float = THRESHOLD) -> list[Overlap]:
    """Find duplicate, inverse and symmetric relations.

    Parameters
    ----------
    graph : KnowledgeGraph
        The facts of all splits, as of :func:`all_facts`.
    threshold : float
        Least fraction of both relations' distinct pairs; self-loops count for no inverse.

    Returns
    -------
    list of Overlap
        Most shared pairs first.
    """
    n, m = graph.n_entities, graph.n_relations
    parts = [
        _count_pairs(distinct_triples(part, n, m).astype(np.int64), n, m)
        for part in by_node(graph.triples, lambda facts: np.minimum(facts[:, 0], facts[:, 2]), n)
    ]
    if not len(graph):
        return []
    size, proper_size, same, mirrored = (
        sum(counts[1:], counts[0]) for counts in zip(*parts, strict=True)
    )
    found = _pairs("duplicate", same, size, threshold)
    found += _pairs("inverse", mirrored, proper_size, threshold)
    return sorted(found, key=lambda o: (-o.shared, o.kind, o.first, o.second))


def _count_pairs(
    triples: npt.NDArray[np.int64], n: int, n_relations: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], sparse.csr_matrix, sparse.csr_matrix]:
    """Count pairs of each relation, proper ones, and those that two share, as is and mirrored.

    The facts are distinct, and all that join two entities are there or none.
    """
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
    return size, proper_size, holds.T @ holds, holds.T @ mirrored


def _pairs(
    pattern: str, shared: sparse.csr_matrix, size: npt.NDArray[np.int64], threshold: float
) -> list[Overlap]:
    table = shared.tocoo()
    found = []
    for r, s, count in zip(table.row, table.col, table.data, strict=True):
        if r > s or (pattern == "duplicate" and r == s) or not size[r] or not size[s]:
            continue
        if count >= threshold * max(size[r], size[s]):
            name = "symmetric" if r == s else pattern
            found.append(Overlap(name, *map(int, (r, s, count, size[r], size[s]))))
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
    inverse: list[tuple[int, int]] = []
    same: list[tuple[int, int]] = []
    for o in overlaps:
        target = {"duplicate": same}.get(o.kind, inverse)
        target += [(o.first, o.second), (o.second, o.first)]
    rows = np.arange(len(triples))
    asked = {"exact": [(rows, triples)], "inverse": [], "duplicate": []}
    for name, substitutes in (("inverse", inverse), ("duplicate", same)):
        for r, s in set(substitutes):
            of_r = rows[triples[:, 1] == r]
            other = triples[of_r][:, [2, 1, 0]] if name == "inverse" else triples[of_r]
            other[:, 1] = s
            asked[name].append((of_r, other))
    # One pass over the graph for all of them.
    every = np.concatenate([facts for each in asked.values() for _, facts in each])
    known = stated(
        _key(every, n, n_relations), graph.triples, lambda facts: _key(facts, n, n_relations)
    )
    result, begin = {}, 0
    for name, each in asked.items():
        result[name] = np.zeros(len(triples), dtype=bool)
        for of, facts in each:
            result[name][of] |= known[begin : begin + len(facts)]
            begin += len(facts)
    both = np.concatenate([triples, triples[:, [2, 1, 0]]])
    joined = stated(_pair(both, n), graph.triples, lambda facts: _pair(facts, n))
    result["linked"] = joined[: len(triples)] | joined[len(triples) :]
    return result


def _pair(facts: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int64]:
    key: npt.NDArray[np.int64] = facts[:, 0].astype(np.int64) * n + facts[:, 2]
    return key


def _key(triples: npt.NDArray[np.int32], n: int, n_relations: int) -> npt.NDArray[np.int64]:
    head, relation, tail = triples.T.astype(np.int64)
    key: npt.NDArray[np.int64] = (head * n_relations + relation) * n + tail
    return key
