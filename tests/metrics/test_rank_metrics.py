"""Rank metrics against counting by hand: sort the candidates, look where the answer stands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import InvalidParameter
from parsimony.metrics import Ranks
from parsimony.metrics.ranking import rank_of, ranking_metrics

counts = st.integers(0, 50)
rows = st.lists(st.tuples(counts, counts, st.integers(0, 4), st.integers(0, 1)), max_size=40)


def ranks_of(rows):
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return Ranks(*columns)


def same(a, b):
    names = ("greater", "equal", "relation", "direction")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.integers(0, 19))
def test_the_policies_are_positions_in_the_sorted_candidates(scores, answer):
    scores = np.array(scores)
    answer %= len(scores)
    others = np.delete(scores, answer)
    greater = np.array([np.sum(others > scores[answer])])
    equal = np.array([np.sum(others == scores[answer])])
    # The oracle: put the answer before, or behind, the candidates that score the same.
    descending = sorted(-int(s) for s in others)
    first = 1 + np.searchsorted(descending, -scores[answer], "left")
    last = 1 + np.searchsorted(descending, -scores[answer], "right")
    assert rank_of(greater, equal, "optimistic") == [first]
    assert rank_of(greater, equal, "pessimistic") == [last]
    assert rank_of(greater, equal) == [(first + last) / 2]


def test_a_tie_for_the_first_place_misses_hits_at_1():
    ranks = Ranks(*(np.array([x]) for x in (0, 1, 0, 0)))
    assert ranks.ranks() == [1.5]
    assert ranks.metrics() == {"mrr": 1 / 1.5, "hits@1": 0.0, "hits@3": 1.0, "hits@10": 1.0}
    assert ranks.metrics("optimistic")["hits@1"] == 1.0
    assert ranks.metrics("pessimistic")["mrr"] == 0.5


@given(rows)
def test_metrics_against_plain_python(rows):
    found = ranks_of(rows)
    for policy, share in (("optimistic", 0), ("realistic", 0.5), ("pessimistic", 1)):
        ranks = [1 + g + share * e for g, e, _, _ in rows]
        metrics = found.metrics(policy)
        n = max(len(ranks), 1)
        assert metrics["mrr"] == pytest.approx(sum(1 / r for r in ranks) / n)
        for k in (1, 3, 10):
            assert metrics[f"hits@{k}"] == pytest.approx(sum(r <= k for r in ranks) / n)


@given(rows, rows, rows)
def test_shards_merge_in_any_grouping(a, b, c):
    x, y, z = ranks_of(a), ranks_of(b), ranks_of(c)
    whole = ranks_of(a + b + c)
    assert same((x + y) + z, whole)
    assert same(x + (y + z), whole)
    assert same(Ranks.join([x, y, z]), whole)
    assert same(x + Ranks.empty(), x)
    assert Ranks.join([x, y, z]).summary(3) == whole.summary(3)


@given(rows)
def test_per_relation_against_plain_python(rows):
    names = ["a", "b", "c", "d", "e"]
    table = ranks_of(rows).per_relation(names)
    assert [(-row["n_queries"], row["relation"]) for row in table] == sorted(
        (-row["n_queries"], row["relation"]) for row in table
    )
    assert {row["relation"] for row in table} == {names[r] for _, _, r, _ in rows}
    for row in table:
        own = [(1 + g + e / 2, d) for g, e, r, d in rows if names[r] == row["relation"]]
        assert row["n_queries"] == len(own)
        assert row["mrr"] == pytest.approx(sum(1 / r for r, _ in own) / len(own))
        for k in (1, 3, 10):
            assert row[f"hits@{k}"] == pytest.approx(sum(r <= k for r, _ in own) / len(own))
        for key, direction in (("mrr_tail", 0), ("mrr_head", 1)):
            part = [1 / r for r, d in own if d == direction]
            expected = pytest.approx(sum(part) / len(part)) if part else None
            assert row[key] == expected


def test_the_summary_keeps_all_three_ranks_and_an_interval():
    generator = np.random.default_rng(0)
    n = 500
    ranks = Ranks(
        generator.integers(0, 20, n), generator.integers(0, 3, n),
        generator.integers(0, 3, n), generator.integers(0, 2, n),
    )  # fmt: skip
    summary = ranks.summary(seed=1)
    assert set(summary) == {
        "policy", "metrics", "optimistic", "pessimistic", "interval", "n_queries",
    }  # fmt: skip
    assert summary["policy"] == "realistic"
    assert summary["n_queries"] == n
    low, high = summary["interval"]["mrr"]
    assert low < summary["metrics"]["mrr"] < high
    assert summary["pessimistic"]["mrr"] < summary["metrics"]["mrr"] < summary["optimistic"]["mrr"]
    assert summary == ranks.summary(seed=1)


def test_no_answers_are_zero_not_nan():
    assert Ranks.empty().metrics() == {"mrr": 0.0, "hits@1": 0.0, "hits@3": 0.0, "hits@10": 0.0}
    assert Ranks.empty().summary()["interval"] == {"mrr": [0.0, 0.0]}
    assert Ranks.empty().per_relation([]) == []
    assert ranking_metrics(np.empty(0))["mrr"] == 0.0


def test_narrow_integers_do_not_overflow():
    big = np.array([2**31 - 1], np.int32)
    assert rank_of(big, big, "pessimistic") == [2.0**32 - 1]


def test_wrong_use_is_told():
    with pytest.raises(InvalidParameter, match="did you mean 'optimistic'"):
        rank_of(np.array([0]), np.array([0]), "optimist")  # type: ignore[arg-type]
    one, two = np.zeros(1, int), np.zeros(2, int)
    with pytest.raises(InvalidParameter, match="one length"):
        Ranks(one, two, two, two)
