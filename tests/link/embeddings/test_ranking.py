"""Ranking in pieces of the entities: the counts are those of all scores, equal entities tie."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.kernels.test_ranking_counts import filtered_counts_reference

from parsimony.graph import Vocabulary
from parsimony.knowledge import Symbol
from parsimony.link.data import LinkData
from parsimony.link.embeddings.distance import TransEScoring
from parsimony.link.embeddings.ranking import PIECE, Ranker
from parsimony.link.embeddings.scoring import BilinearScoring
from parsimony.link.embeddings.tables import ThreadPool
from parsimony.link.task import LinkTask
from parsimony.run.progress import Progress

N = 3 * PIECE + 37
DIM = 20


def task():
    random = np.random.default_rng(0)
    rows = np.stack([random.integers(0, high, 900) for high in (40, 3, N)], axis=1)
    data = LinkData(
        "made", Vocabulary([f"e{i}" for i in range(N)]), Vocabulary(list("abc"), "relation"),
        rows[:300], rows[300:500], rows[500:],
    )  # fmt: skip
    return LinkTask(data)


def ranker(scoring, entity, **options):
    relation = torch.from_numpy(np.random.default_rng(1).standard_normal((3, DIM), np.float32))
    return Ranker(scoring, torch.from_numpy(entity), relation, 3, reciprocal=False, **options)


SCORINGS = [BilinearScoring(Symbol.parse("ComplEx").blocks), TransEScoring()]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("block", [7, 64, 512])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_counts_are_those_of_all_scores(scoring, block, threads):
    """Whole numbers, so that every way to add them up gives the same score, and ties abound."""
    entity = np.random.default_rng(2).integers(-2, 3, (N, DIM)).astype(np.float32)
    asked = ranker(scoring, entity, block=block)
    asked.relation.round_()
    queries = task().queries("test")
    pool = ThreadPool(threads)
    ranks = asked.rank(queries, Progress(0, "", quiet=True), pool)
    pool.close()
    scores = np.concatenate(
        [part.numpy().T.copy() for _, part in asked.scores(queries.head, queries.relation)]
    )
    known, answers = (
        [values[a:b].tolist() for a, b in pairwise(ptr)]
        for ptr, values in (
            (queries.known_ptr, queries.known), (queries.answer_ptr, queries.answer),
        )
    )  # fmt: skip
    assert max(map(len, answers)) > 1
    greater, equal = filtered_counts_reference(scores, known, answers)
    np.testing.assert_array_equal(ranks.greater, greater)
    np.testing.assert_array_equal(ranks.equal, equal)
    assert equal.sum() > 0
    relation = queries.answer_relation
    np.testing.assert_array_equal(ranks.relation, relation % 3)


@pytest.mark.parametrize("scoring", SCORINGS)
@pytest.mark.parametrize("n_queries", [2, 17, 100, 300])
def test_equal_entities_tie_wherever_they_stand(scoring, n_queries):
    """Vectors of full precision: rounding may not depend on the piece."""
    random = np.random.default_rng(3)
    entity = np.repeat(random.standard_normal((1, DIM), np.float32), N, axis=0)
    entity[:40] = random.standard_normal((40, DIM))
    asked = ranker(scoring, entity, block=n_queries)
    heads = random.integers(0, 40, n_queries)
    ((_, scores),) = asked.scores(heads, random.integers(0, 3, n_queries))
    assert (scores[40:] == scores[40]).all()


def test_an_answer_whose_own_piece_rounds_otherwise_is_counted_again(monkeypatch):
    entity = np.random.default_rng(2).standard_normal((N, DIM), np.float32)
    asked, queries, pool = ranker(SCORINGS[0], entity), task().queries("test"), ThreadPool(1)
    expected = asked.rank(queries, Progress(0, "", quiet=True), pool)
    right = Ranker._values
    monkeypatch.setattr(Ranker, "_values", lambda *given: right(*given) + np.float32(0.5))
    found = asked.rank(queries, Progress(0, "", quiet=True), pool)
    np.testing.assert_array_equal(found.greater, expected.greater)
    np.testing.assert_array_equal(found.equal, expected.equal)
