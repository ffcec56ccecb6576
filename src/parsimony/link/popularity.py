"""The degree-only baseline: how far mere popularity goes.

A query (head, relation, ?) is answered by how often each entity is an object of the relation in
the graph, whoever the head is; (?, relation, tail) by how often it is a subject. A model that does
not clearly beat this has learned names, not reasons.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.link.task import QuerySet

__all__ = ["popularity_counts", "popularity_ranks"]

IntArray = npt.NDArray[np.int64]


def popularity_counts(graph: KnowledgeGraph) -> tuple[IntArray, IntArray]:
    """Count how often each entity answers each relation, in either direction.

    Returns
    -------
    key : int64 array, shape (n,)
        ``relation * n_entities + entity``, ascending; relation r + R asks for subjects.
    count : int64 array, shape (n,)
        Facts behind each key; an absent key counts 0.
    """
    head, relation, tail = graph.triples.T.astype(np.int64)
    keys = np.concatenate(
        [
            relation * graph.n_entities + tail,
            (relation + graph.n_relations) * graph.n_entities + head,
        ]
    )
    key, count = np.unique(keys, return_counts=True)
    return key, count


def popularity_ranks(queries: QuerySet) -> tuple[IntArray, IntArray]:
    """Rank every answer by popularity among all entities, other known answers left out.

    Parameters
    ----------
    queries : QuerySet
        Queries with answers and filters (:mod:`parsimony.link.task`).

    Returns
    -------
    greater, equal : int64 arrays, shape (n_answers,)
        Other candidates that score strictly higher, and exactly as high.
    """
    graph = queries.graph
    n = graph.n_entities
    key, count = popularity_counts(graph)
    top = int(count.max(initial=0)) + 1

    def score(relation: IntArray, entity: IntArray) -> IntArray:
        wanted = relation * n + entity
        found = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        hit = key[found] == wanted if len(key) else np.zeros(len(wanted), dtype=bool)
        return np.where(hit, count[found] if len(key) else 0, 0)

    n_answers = np.diff(queries.answer_ptr)
    relation = queries.relation.astype(np.int64)
    of_answer = np.repeat(np.arange(len(queries)), n_answers)
    answer_relation = relation[of_answer]
    answer_score = score(answer_relation, queries.answer.astype(np.int64))

    # All candidates: (relation, count) of the entities that answer the relation at all, sorted,
    # so that a binary search counts those above; everybody else shares the score 0.
    ranked = np.sort(key // n * top + count)
    low = np.searchsorted(ranked, answer_relation * top + answer_score, "left")
    high = np.searchsorted(ranked, answer_relation * top + answer_score, "right")
    end = np.searchsorted(ranked, (answer_relation + 1) * top, "left")
    start = np.searchsorted(ranked, answer_relation * top, "left")
    greater = end - high
    equal = np.where(answer_score > 0, high - low, n - (end - start))

    # Known answers of the same query leave the ranking; the answer itself is one of them.
    of_known = np.repeat(np.arange(len(queries)), np.diff(queries.known_ptr))
    known_score = score(relation[of_known], queries.known.astype(np.int64))
    known = np.sort(of_known * top + known_score)
    low = np.searchsorted(known, of_answer * top + answer_score, "left")
    high = np.searchsorted(known, of_answer * top + answer_score, "right")
    end = np.searchsorted(known, (of_answer + 1) * top, "left")
    return greater - (end - high), equal - (high - low)
