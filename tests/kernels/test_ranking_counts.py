"""Filtered rank counts without dense masks against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DTYPES

from parsimony.kernels.ranking import (
    Listed,
    entries,
    filtered_counts,
    filtered_counts_reference,
    higher_counts,
    leave_out,
    nothing_listed,
)
from parsimony.kernels.redgnn.frontier import Scratch


@st.composite
def batches(draw):
    """Few distinct scores, zero among them, so that ties abound; empty frontiers too."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_entities, n_rows = draw(st.integers(1, 24)), draw(st.integers(1, 6))
    queries = []
    for _ in range(draw(st.integers(0, 4))):
        some = rng.permutation(n_entities)
        answers = some[: rng.integers(0, n_entities + 1)]
        known = set(rng.integers(0, n_entities, rng.integers(0, 4)).tolist())
        if draw(st.booleans()):
            known |= set(answers.tolist())  # as a task's filter does
        nodes = rng.permutation(n_entities)[: rng.integers(0, n_entities + 1)]
        queries.append((nodes, sorted(known), answers))
    score = rng.choice([-2.0, -0.5, 0.0, 0.25, 1.5], n_rows)
    return n_entities, score, rng, queries


def flat(lists):
    ptr = np.concatenate([[0], np.cumsum([len(x) for x in lists])]).astype(np.int64)
    return ptr, np.concatenate([*lists, []]).astype(np.int32)


def lists(rng, n_entities, n_queries, score):
    """Two lists of entities with scores of their own, shared by the queries, one of them empty."""
    entity = np.flatnonzero(rng.random(n_entities) < 0.5).astype(np.int32)
    value = rng.choice([*score, 0.125], len(entity)).astype(np.float32)
    last = rng.choice([0, len(entity)], n_queries)
    return np.zeros(n_queries, np.int64), last, entity, value


def test_few_nodes_are_searched_in_a_long_list():
    """As many of them are marked, and both say the same."""
    rng = np.random.default_rng(0)
    first, last = np.array([0, 700, 0]), np.array([700, 900, 0])
    entity = np.concatenate([np.sort(rng.permutation(1000)[:n]) for n in (700, 200)])
    for n in (1, 5, 400):
        nodes = [rng.permutation(1000)[:n].astype(np.int32) for _ in first]
        ptr, node = flat(nodes)
        place, found = np.zeros(1000, np.int32), np.full(len(node), -9)
        entries(ptr, node, first, last, entity.astype(np.int32), place, found)
        of_query = np.repeat(np.arange(3), n)
        for v, b, at in zip(node.tolist(), of_query.tolist(), found.tolist(), strict=True):
            own = entity[first[b] : last[b]].tolist()
            assert at == (first[b] + own.index(v) if v in own else -1)
        assert not place.any()


@pytest.mark.parametrize("with_lists", [False, True])
@pytest.mark.parametrize("unreached", [0.0, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
@given(batch=batches())
@settings(deadline=None, max_examples=80)
def test_counts(dtype, unreached, with_lists, batch):
    n_entities, score, rng, queries = batch
    ptr, node = flat([q[0] for q in queries])
    known_ptr, known = flat([q[1] for q in queries])
    answer_ptr, answer = flat([q[2] for q in queries])
    row = rng.integers(0, len(score), len(node)).astype(np.int32)
    dense = np.full((len(queries), n_entities), unreached)
    listed, scratch = nothing_listed(len(queries)), Scratch(n_entities)
    if with_lists:
        first, last, entity, value = lists(rng, n_entities, len(queries), score)
        place, found = np.zeros(n_entities, np.int32), []
        for ends, some in ((ptr, node), (known_ptr, known), (answer_ptr, answer)):
            found.append(np.full(len(some), -9, np.int64))
            entries(ends, some, first, last, entity, place, found[-1])
        listed = Listed(first, last, value, np.sort(value), *found)
        assert not place.any()
        for b in range(len(queries)):
            dense[b, entity[: last[b]]] = value[: last[b]]
    for b in range(len(queries)):
        inside = slice(ptr[b], ptr[b + 1])
        dense[b, node[inside]] = score[row[inside]]
    expected = filtered_counts_reference(
        dense, [q[1] for q in queries], [q[2].tolist() for q in queries]
    )
    greater, equal = np.full(len(answer), -9, np.int64), np.full(len(answer), -9, np.int64)
    filtered_counts(
        ptr, node, row, score.astype(dtype), n_entities, unreached, listed, known_ptr, known,
        answer_ptr, answer, scratch.stamp, scratch.position, scratch.tick, greater, equal,
    )  # fmt: skip
    assert greater.tolist() == expected[0].tolist()
    assert equal.tolist() == expected[1].tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@given(batch=batches())
@settings(deadline=None, max_examples=80)
def test_counts_of_dense_scores(dtype, batch):
    n_entities, score, rng, queries = batch
    dense = rng.choice(score, (len(queries), n_entities))
    expected = filtered_counts_reference(
        dense, [q[1] for q in queries], [q[2].tolist() for q in queries]
    )
    known_ptr, known = flat([q[1] for q in queries])
    answer_ptr, answer = flat([q[2] for q in queries])
    query = np.repeat(np.arange(len(queries), dtype=np.uint64), np.diff(answer_ptr))
    of_known = np.repeat(np.arange(len(queries)), np.diff(known_ptr))
    scores = np.ascontiguousarray(dense.T.astype(dtype))
    # As it comes, and with one answer of each query in front, in the order of the queries.
    ahead = np.unique(query, return_index=True)[1]
    order = np.concatenate([ahead, np.setdiff1d(np.arange(len(answer)), ahead)]).astype(int)
    for first, of in ((0, np.arange(len(answer))), (len(ahead), order)):
        if first != len(queries):
            first = 0
        value = scores[answer[of], query[of]]
        greater, equal = np.zeros((2, len(answer)), np.int32)
        half, cut = len(answer) // 2, n_entities // 2
        for low, high in ((0, half), (half, len(answer))):  # answers may be shared out
            for piece in (scores[:cut], scores[cut:]):
                higher_counts(piece, query[of], first, value, low, high, greater, equal)
            leave_out(
                query[of], answer[of], value, known_ptr, known, scores[known, of_known], low,
                high, greater, equal,
            )  # fmt: skip
        np.testing.assert_array_equal(greater, expected[0][of])
        np.testing.assert_array_equal(equal, expected[1][of])
