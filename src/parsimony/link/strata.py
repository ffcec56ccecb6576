"""Strata of a split's answers: where the facts walked say much about them, and where little.

Half-links: is (h, r, ·) seen in the facts, and (·, r, t)? An answer with neither is about two
entities that the relation was never observed with. Distance: the fewest facts, of any relation and
in either direction, that join the two ends; a reasoner of L steps cannot do better than chance
beyond L. In-degree: how many facts lead to the answer in the direction asked.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from parsimony.graph import KnowledgeGraph
from parsimony.graph.parts import stated
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.metrics.subgroups import buckets

__all__ = [
    "FAR",
    "KINDS",
    "LARGE",
    "UNREACHABLE",
    "Strata",
    "distances",
    "measure_strata",
    "strata_of",
]

IntArray = npt.NDArray[np.integer[Any]]
#: kind of stratum → stratum → its members among the answers, (n_answers,)
Strata: TypeAlias = dict[str, dict[str, npt.NDArray[np.bool_]]]

#: the kinds of strata, in words
KINDS = {
    "side": "end that is asked for",
    "half_links": "half-links seen",
    "distance": "distance between the ends",
    "in_degree": "in-degree of the answer",
}
#: what :func:`distances` gives for four steps or more, and for ends that nothing joins
FAR, UNREACHABLE = 4, 5
_DISTANCES = ("0", "1", "2", "3", "4 and more", "unreachable")
_BANDS = (1, 3, 10, 30, 100, 300)
#: facts up to which distances are measured
LARGE = 1 << 22
_PRODUCTS = 1 << 24  # multiplications of a sparse product at a time: 200 MB at most


def strata_of(queries: QuerySet) -> Strata:
    """Return the strata of the answers of a query set; empty ones are left out.

    Returns
    -------
    dict
        ``side`` (tail, head: which end was asked for), ``half_links`` (both, head, tail, none:
        which of (h, r, ·) and (·, r, t) the facts walked hold), ``distance`` (0, 1, 2, 3, 4 and
        more, unreachable; 0 where both ends are one entity; left out of graphs of more than
        :data:`LARGE` facts, whose hubs make it costly) and ``in_degree`` (bands).
    """
    graph, asked = queries.graph, queries.answer_relation
    about = np.repeat(queries.head, np.diff(queries.answer_ptr))
    heads = asked >= graph.n_relations
    relation = asked % graph.n_relations
    head, tail = np.where(heads, queries.answer, about), np.where(heads, about, queries.answer)
    n = graph.n_entities
    head_seen, tail_seen = (
        stated(
            relation.astype(np.int64) * n + end,
            graph.triples,
            lambda facts, c=column: facts[:, 1].astype(np.int64) * n + facts[:, c],  # type: ignore[misc]
        )
        for column, end in ((0, head), (2, tail))
    )
    into = np.where(
        heads,
        np.bincount(graph.triples[:, 0], minlength=n)[queries.answer],
        np.bincount(graph.triples[:, 2], minlength=n)[queries.answer],
    )
    steps = np.empty(0, np.int8) if len(graph) > LARGE else distances(graph, head, tail)
    strata: Strata = {
        "side": {"tail": ~heads, "head": heads},
        "half_links": {
            "both": head_seen & tail_seen,
            "head": head_seen & ~tail_seen,
            "tail": ~head_seen & tail_seen,
            "none": ~head_seen & ~tail_seen,
        },
        "distance": {name: steps == i for i, name in enumerate(_DISTANCES) if len(steps)},
        "in_degree": {"0": into == 0, **buckets("{}", into, _BANDS)},
    }
    return {
        kind: {name: members for name, members in found.items() if members.any()}
        for kind, found in strata.items()
        if found
    }


def measure_strata(ranks: Ranks, strata: Strata, seed: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Measure the ranks of the answers in every stratum.

    Returns
    -------
    dict
        For each kind one row per stratum, in their order: ``stratum, n_queries, mrr, hits@…`` and
        ``interval``, the 95 % bootstrap interval of the MRR.
    """
    return {
        kind: [{"stratum": name, **ranks.where(members).brief(seed)}
               for name, members in found.items()]
        for kind, found in strata.items()
    }  # fmt: skip


# ---- distances -------------------------------------------------------------------------------


def distances(graph: KnowledgeGraph, one: IntArray, other: IntArray) -> npt.NDArray[np.int8]:
    """Return how many facts, in any direction, join pairs of entities at least.

    Searched from both ends: two entities are joined by two facts where their neighbours meet, by
    three where a neighbour's neighbour of one is a neighbour of the other, and by any number where
    they are in one component.

    Parameters
    ----------
    graph
        The facts walked.
    one, other
        (n,) entities.

    Returns
    -------
    int8 array, shape (n,)
        0 to 3, ``FAR`` for four and more, ``UNREACHABLE`` where nothing joins them.
    """
    n = graph.n_entities
    pairs, place = np.unique(_unordered(one, other, n), return_inverse=True)
    a, b = pairs // n, pairs % n
    near = _neighbours(graph)
    _, component = connected_components(near, directed=False)
    found = np.full(len(pairs), UNREACHABLE, np.int8)
    found[component[a] == component[b]] = FAR
    found[np.isin(pairs, _unordered(graph.triples[:, 0], graph.triples[:, 2], n))] = 1
    found[a == b] = 0
    degree = np.diff(near.indptr).astype(np.int64)
    # Expand the end from which fewer are reached in two steps.
    reach = near @ degree
    a, b = np.where(reach[a] <= reach[b], a, b), np.where(reach[a] <= reach[b], b, a)

    open_ = np.flatnonzero(found == FAR)
    for part in _parts(open_, degree[a[open_]] + degree[b[open_]]):
        found[part[_meet(near[a[part]], near[b[part]])]] = 2
    open_ = np.flatnonzero(found == FAR)
    open_ = open_[np.argsort(a[open_], kind="stable")]
    for part in _parts(open_, reach[a[open_]]):
        starts, row = np.unique(a[part], return_inverse=True)
        found[part[_meet((near[starts] @ near)[row], near[b[part]])]] = 3
    return found[place]


def _unordered(one: IntArray, other: IntArray, n: int) -> npt.NDArray[np.int64]:
    """Return one number for a pair in either order, (n,)."""
    return np.minimum(one, other).astype(np.int64) * n + np.maximum(one, other)


def _neighbours(graph: KnowledgeGraph) -> sparse.csr_array:
    """Which entities share a fact: a symmetric matrix without loops, (n_entities, n_entities)."""
    n = graph.n_entities
    head, _, tail = graph.triples.T
    apart = head != tail
    ends = np.concatenate([head[apart], tail[apart]]), np.concatenate([tail[apart], head[apart]])
    near = sparse.csr_array((np.ones(len(ends[0]), np.int32), ends), shape=(n, n))
    near.sum_duplicates()
    near.data[:] = 1
    return near


def _meet(rows: sparse.csr_array, others: sparse.csr_array) -> npt.NDArray[np.bool_]:
    """Whether two rows of sparse matrices share a column, (n,)."""
    shared: npt.NDArray[np.bool_] = np.diff(rows.multiply(others).tocsr().indptr) > 0
    return shared


def _parts(of: IntArray, cost: IntArray) -> list[IntArray]:
    """Split an array so that every part costs a bounded number of operations, or is one."""
    number = np.cumsum(cost) // _PRODUCTS
    return np.split(of, np.flatnonzero(np.diff(number)) + 1) if len(of) else []
