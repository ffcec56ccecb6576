"""Combined scores equal their definition; redundant rules count once; the choice shrinks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.link.test_link_methods import clan

from parsimony.link.rules.choices import plans_of
from parsimony.link.rules.clustering import clusters_of, overlaps, predicted
from parsimony.link.rules.combining import (
    AGGREGATIONS,
    Combination,
    Firings,
    combine,
    combine_reference,
    plan_of,
)
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.rules.selecting import chosen_by_group
from parsimony.link.task import LinkTask

N = 6  # entities


def firings(sets):
    rules = [i for i, some in enumerate(sets) if some]
    parts = [np.array(sorted(sets[i]), np.int32) for i in rules]
    ptr = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Firings(np.array(rules, np.int32), ptr, np.concatenate([np.zeros(0, np.int32), *parts]))


def combined(fired, plan):
    total, last = np.zeros(N), np.zeros(N, np.int32)
    nodes, scores = np.empty(N, np.int32), np.empty(N, np.float32)
    n = combine(*fired, *plan, total, last, nodes, scores)
    assert not total.any() and not last.any()
    return dict(zip(nodes[:n].tolist(), scores[:n].tolist(), strict=True))


@settings(deadline=None)
@given(
    st.data(),
    st.sampled_from(AGGREGATIONS),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
    st.booleans(),
)
def test_scores_equal_the_definition(data, aggregation, most, constants, learned):
    sets = data.draw(st.lists(st.sets(st.integers(0, N - 1)), min_size=1, max_size=6))
    k = len(sets)
    pick = [data.draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])) for _ in sets]
    label = np.array([data.draw(st.integers(0, 2)) for _ in sets], np.int32)
    named = np.array([data.draw(st.booleans()) for _ in sets])
    atoms = np.array([data.draw(st.integers(1, 4)) for _ in sets], np.int32)
    longest = data.draw(st.sampled_from([None, 1, 2]))
    way = Combination(aggregation, 0.0, 0.5, most, constants, max_atoms=longest)
    added = np.array([data.draw(st.sampled_from([0.0, 0.3, 2.0])) for _ in sets])
    plan = plan_of(way, pick, label, named, atoms, added if learned else None)
    assert len(plan.order) <= k
    assert longest is None or (atoms[plan.order] <= longest).all()
    if most is None and constants:
        used = np.array(pick) > 0 if longest is None else (np.array(pick) > 0) & (atoms <= longest)
        assert sorted(plan.order.tolist()) == np.flatnonzero(used).tolist()
    expected = combine_reference(firings(sets), plan)
    assert combined(firings(sets), plan) == pytest.approx(expected, rel=1e-5)


def plain(n):
    """Rules of one atom that name no entity."""
    return np.zeros(n, bool), np.ones(n, np.int32)


def test_a_rule_said_twice_counts_once():
    sets, sure = [{0, 1}, {0, 1}, {2}], [0.5, 0.6, 0.7]
    predicts, whole = predicted(lambda _: firings(sets), [0], 3)
    overlap = overlaps(predicts, predicts)
    assert whole and overlap.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    label = clusters_of(predicts, [0.5], sure)[:, 0]
    one, same, other = label.tolist()
    assert one == same != other
    plan = plan_of(Combination("clusters"), sure, label, *plain(3))
    scores = combined(firings(sets), plan)
    assert 1 - np.exp(-scores[0]) == pytest.approx(0.6)
    assert scores[2] > scores[0]
    plan = plan_of(Combination("noisy-or"), sure, None, *plain(3))
    assert 1 - np.exp(-combined(firings(sets), plan)[0]) == pytest.approx(0.8)


def test_overlaps_are_those_of_the_pairs():
    asked = [[{0, 1}, {1}], [{2}, {2, 3}], [set(), {4}]]
    predicts, whole = predicted(lambda x: firings(asked[x]), range(3), 2)
    assert whole and overlaps(predicts, predicts)[0, 1] == pytest.approx(2 / 5)
    assert not predicted(lambda x: firings(asked[x]), range(3), 2, most=2)[1]


def test_of_many_rules_the_strongest_are_compared_and_the_others_join_them():
    sets = [{0, 1}, {4}, {0, 1}, {2, 3}, {2, 3, 4}, set()]
    predicts, _ = predicted(lambda _: firings(sets), [0], len(sets))
    strength = [0.3, 0.1, 0.9, 0.8, 0.2, 0.0]
    few = clusters_of(predicts, [0.5, 0.9], strength, most=2)  # rules 2 and 3
    assert few[0].tolist() == few[2].tolist()
    assert few[4, 0] == few[3, 0] and few[4, 1] != few[3, 1]  # an overlap of 2/3
    alone = few[[1, 2, 3, 5]]
    assert len(np.unique(alone[:, 0])) == len(np.unique(alone[:, 1])) == 4
    whole = clusters_of(predicts, [0.5], strength)[:, 0]  # the same partition as all compared
    assert [[a == b for a in whole] for b in whole] == [
        [a == b for a in few[:, 0]] for b in few[:, 0]
    ]


def test_ties_are_broken_by_all_that_follows():
    sets = [{0, 1, 2}, {0, 1}, {0}, {3}]
    plan = plan_of(Combination("max"), [0.9, 0.5, 0.1, 0.8999], None, *plain(4))
    scores = combined(firings(sets), plan)
    assert scores[0] > scores[1] > scores[2] > scores[3]
    assert 1 - np.exp(-scores[2]) == pytest.approx(0.9, abs=1e-3)


def test_the_choice_of_few_answers_is_that_of_all():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [400, 400, 2])
    better = np.array([1, 0, 1])[group]  # which of two choices
    reciprocal = 0.3 * rng.random((802, 2))
    reciprocal[np.arange(802), better] += 0.5
    reciprocal[group == 0] *= 0.5  # choice 0 is better on the whole
    choice = chosen_by_group(reciprocal, group, 4, np.arange(802) % 2)
    assert choice.tolist() == [1, 0, 0, 0]


def test_clusters_are_left_out_where_the_time_is_too_short():
    task = LinkTask(clan())
    hurried = RuleReasoner(max_length=2).fit(task, time_budget=1e-9)
    assert any("no clusters were tried" in note for note in hurried.training_notes_)
    assert {c.aggregation for c in hurried.ways_.combinations.values()} <= {"max", "noisy-or"}
    asked_for = RuleReasoner(max_length=2, aggregation="clusters").fit(task, time_budget=1e-9)
    assert {c.aggregation for c in asked_for.ways_.combinations.values()} == {"clusters"}
    none = RuleReasoner(max_length=2, min_support=10**6).fit(task)
    assert not none.rules_ and not any("time is too short" in note for note in none.training_notes_)


def test_rules_that_nobody_compared_are_combined_as_if_independent():
    task = LinkTask(clan())
    rules = RuleReasoner(max_length=2).fit(task).rules_
    scorer = RuleScorer(rules, task.train_graph, thresholds=[0.2, 0.5])
    apart = next(r for r in range(task.n_relations) if len(scorer.rules_of(r)) > 1)
    scorer.keep_apart({apart})
    ways = [Combination("noisy-or", 5.0), Combination("clusters", 5.0, 0.5)]
    alike, clustered = plans_of(scorer, apart, ways)
    assert clustered is alike
    for way in ways:  # also where the plan is made without that shortcut
        found = scorer.plan(apart, way)
        np.testing.assert_array_equal(found.order, alike.order)
        np.testing.assert_array_equal(found.weight, alike.weight)
