"""Ranking within a time: all queries, or a random sample that is the same queries' own ranks."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony import load
from parsimony.link import LinkTask
from parsimony.link.popularity import popularity_ranks
from parsimony.link.rules import RuleReasoner
from parsimony.link.sampled_ranking import FIRST, rank_within, sample_note
from parsimony.metrics import Ranks
from parsimony.run import Progress, deadline
from parsimony.run.deadline import Deadline

QUIET = Progress(0, "", quiet=True)


@pytest.fixture(scope="module")
def queries():
    return LinkTask(load("royal")).queries("test")


class Clock:
    """Time that passes by what is ranked."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(deadline.time, "perf_counter", lambda: self.now)

    def rank(self, queries, progress):
        self.now += len(queries)
        relation = queries.answer_relation
        counts = (relation % queries.graph.n_relations, relation // queries.graph.n_relations)
        return Ranks(*popularity_ranks(queries), *counts)


def same(a, b):
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("greater", "equal"))


def test_where_there_is_time_all_are_ranked_in_their_order(queries, monkeypatch):
    clock = Clock(monkeypatch)
    whole = clock.rank(queries, QUIET)
    for seconds in (None, 100 * len(queries)):
        ranks, asked = rank_within(clock.rank, queries, QUIET, Deadline(seconds))
        assert asked is queries
        assert same(ranks, whole)
        assert np.array_equal(ranks.relation, whole.relation)


@pytest.mark.parametrize("seconds", [0, 40, 100, 300])
def test_a_sample_fits_and_holds_the_ranks_of_its_queries(queries, seconds, monkeypatch):
    clock = Clock(monkeypatch)
    limit = Deadline(seconds)
    ranks, asked = rank_within(clock.rank, queries, QUIET, limit, seed=3)
    assert clock.now <= max(seconds, FIRST)
    assert FIRST <= len(asked) < len(queries)
    assert len(asked) >= min(seconds - FIRST, 0.7 * seconds)
    assert same(ranks, clock.rank(asked, QUIET))
    keys = queries.head.astype(np.int64) * 1000 + queries.relation
    own = asked.head.astype(np.int64) * 1000 + asked.relation
    assert np.isin(own, keys).all()
    assert len(np.unique(own)) == len(own)


def test_the_sample_is_drawn_by_the_seed(queries, monkeypatch):
    clock = Clock(monkeypatch)

    def heads(seed):
        return rank_within(clock.rank, queries, QUIET, Deadline(60), seed)[1].head.tolist()

    assert heads(0) == heads(0)
    assert heads(0) != heads(1)


def test_what_was_sampled_is_said():
    (note,) = sample_note("test", 2000, 20466, 10.0, 0)
    assert note.startswith("ranked 2,000 of 20,466 test queries, drawn with seed 0, because")
    assert "102 s" in note
    assert sample_note("test", 5, 5, 1.0) == []


def test_evaluate_says_that_it_sampled():
    model = RuleReasoner(max_length=1).fit(LinkTask(load("royal")))
    found = model.evaluate("test", deadline=Deadline(0.0))
    assert found["sampled"]["ranked"] == found["n_queries"] < found["sampled"]["of"]
    assert found["notes"][-1].startswith("ranked ")
    low, high = found["interval"]["mrr"]
    assert low < high
    assert "sampled" not in model.evaluate("test")
