"""The degree-only baseline: how far mere popularity goes.

A query (head, relation, ?) is answered by how often each entity is an object of the relation in
the graph, whoever the head is; (?, relation, tail) by how often it is a subject. A model that does
not clearly beat this has learned names, not reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.graph.parts import by_node
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
    parts = [*_parts(graph)]
    key, count = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    order = np.argsort(key)  # a key is in one part only
    return key[order], count[order]


def _parts(graph: KnowledgeGraph) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield :func:`popularity_counts` in parts, each sorted."""
    n = graph.n_entities
    for column, offset in ((2, 0), (0, graph.n_relations)):
        for part in by_node(graph.triples, lambda facts, c=column: facts[:, c], n):  # type: ignore[misc]
            relation = part[:, 1].astype(np.int64) + offset
            yield np.unique(relation * n + part[:, column], return_counts=True)


def _scores(
    graph: KnowledgeGraph, wanted: IntArray, top: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Count some keys, and how many keys there are of every (relation, count).

    Returns
    -------
    score : (n_wanted,)
    level : (n,)
        ``relation * top + count``, ascending.
    below : (n + 1,)
        Keys of a lower level.
    """
    score = np.zeros(len(wanted), np.int64)
    levels, sizes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for key, count in _parts(graph):
        at = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        if len(key):
            hit = key[at] == wanted
            score[hit] = count[at[hit]]
        level, size = np.unique(key // graph.n_entities * top + count, return_counts=True)
        levels.append(level)
        sizes.append(size)
    level, place = np.unique(np.concatenate(levels), return_inverse=True)
    size = np.zeros(len(level), np.int64)
    np.add.at(size, place, np.concatenate(sizes))
    return score, level, np.concatenate([[0], np.cumsum(size)])


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
    n, top = graph.n_entities, len(graph) + 1
    n_answers = np.diff(queries.answer_ptr)
    relation = queries.relation.astype(np.int64)
    of_answer = np.repeat(np.arange(len(queries)), n_answers)
    of_known = np.repeat(np.arange(len(queries)), np.diff(queries.known_ptr))
    answer_relation = relation[of_answer]
    wanted = np.concatenate(
        [answer_relation * n + queries.answer, relation[of_known] * n + queries.known]
    )
    scores, level, below = _scores(graph, wanted, top)
    answer_score, known_score = scores[: len(of_answer)], scores[len(of_answer) :]

    def behind(value: IntArray, side: Literal["left", "right"]) -> IntArray:
        return below[np.searchsorted(level, value, side)]

    # All candidates: (relation, count) of the entities that answer the relation at all, sorted,
    # so that a binary search counts those above; everybody else shares the score 0.
    low = behind(answer_relation * top + answer_score, "left")
    high = behind(answer_relation * top + answer_score, "right")
    end = behind((answer_relation + 1) * top, "left")
    start = behind(answer_relation * top, "left")
    greater = end - high
    equal = np.where(answer_score > 0, high - low, n - (end - start))

    # Known answers of the same query leave the ranking; the answer itself is one of them.
    known = np.sort(of_known * top + known_score)
    low = np.searchsorted(known, of_answer * top + answer_score, "left")
    high = np.searchsorted(known, of_answer * top + answer_score, "right")
    end = np.searchsorted(known, (of_answer + 1) * top, "left")
    return greater - (end - high), equal - (high - low)
