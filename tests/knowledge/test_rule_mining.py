"""Mining finds every rule that the definition admits, with its exact evidence."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import count, graphs, reached

from parsimony.errors import InvalidParameter
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import rule_bodies, rule_paths, rule_plan
from parsimony.knowledge.rule_counts import count_rules
from parsimony.knowledge.rule_mining import mine_paths, mine_rules
from parsimony.knowledge.rule_plan import affordable_lengths
from parsimony.knowledge.rule_walks import build_walk_index


def is_detour(path, head, n_relations, evidence):
    """A step out and back in a body, or around it, of a rule that is at least as good."""
    own = evidence[head, path]
    for k in range(len(path) - 1):
        short, rest = None, path[:k] + path[k + 2 :]
        if (path[k] + n_relations) % (2 * n_relations) == path[k + 1] and rest != (head,):
            short = evidence.get((head, rest))
        if short and short[0] * own[1] >= own[0] * short[1]:
            return True
    return False


def check_all_rules_are_found(graph, longest, min_support):
    mined = mine_paths(
        build_walk_index(graph), max_length=longest, min_support=min_support, min_confidence=0.3
    )
    counts = zip(mined.support.tolist(), mined.body_count.tolist(), strict=True)
    found = dict(zip(zip(mined.heads, mined.paths, strict=True), counts, strict=True))
    evidence = {}
    for length in range(1, longest + 1):
        for path in product(range(2 * graph.n_relations), repeat=length):
            for head in range(graph.n_relations):
                support, body = count(graph, head, path)
                if support >= min_support:
                    evidence[head, path] = support, body
    expected = {
        rule: pair
        for rule, pair in evidence.items()
        if pair[0] / pair[1] >= 0.3 and not is_detour(rule[1], rule[0], graph.n_relations, evidence)
    }
    assert found == expected
    return found


@settings(deadline=None, max_examples=60)
@given(graphs(max_entities=5, max_relations=2, max_facts=14), st.integers(1, 3), st.integers(1, 2))
def test_all_rules_are_found(graph, longest, min_support):
    check_all_rules_are_found(graph, longest, min_support)


@settings(deadline=None, max_examples=60)
@given(graphs(max_entities=6, max_relations=1, max_facts=14), st.integers(1, 2))
def test_all_rules_of_four_atoms_are_found(graph, min_support):
    check_all_rules_are_found(graph, 4, min_support)


def ring(n=60, seed=0):
    """Every x has relation 4 to what relations 0, 1, 2, 3 lead to one after another."""
    rng = np.random.default_rng(seed)
    stops = [rng.permutation(n) + k * n for k in range(5)]
    steps = [np.stack([a, np.full(n, r), b]) for r, (a, b) in enumerate(pairwise(stops))]
    told = np.stack([stops[0], np.full(n, 4), stops[4]])[:, : 3 * n // 4]
    facts = np.concatenate([*steps, told], axis=1).T
    return KnowledgeGraph(facts.astype(np.int32), 5 * n, 5)


def test_a_sparse_graph_is_mined_for_four_atoms(monkeypatch):
    graph, notes = ring(), []
    index = build_walk_index(graph)
    assert affordable_lengths(index, 1e9, 1e9).tolist() == [4] * 5
    rules = [str(rule) for rule in mine_rules(graph, notes=notes)]
    assert "0.75  45/60  4(X,Y) <- 0(X,A), 1(A,B), 2(B,C), 3(C,Y)" in rules
    assert [note for note in notes if "up to 4 atoms were mined" in note]
    assert check_all_rules_are_found(ring(3), 4, 1)
    # bodies of four atoms are counted within the budget, shorter ones whatever it takes
    monkeypatch.setattr(rule_bodies, "_FEW", 0)
    monkeypatch.setattr(rule_plan, "affordable_lengths", lambda *_: np.full(5, 4))
    less = mine_paths(index, budget=10)
    assert max(map(len, less.paths), default=0) < 4
    assert any("candidate bodies were left out" in note for note in less.notes)
    # where the time ends, all relations have their shorter rules
    asked = iter(range(100))
    some = mine_paths(index, timed=True, stop=lambda: next(asked) >= 5)
    assert any("of more than 3 atoms were mined for 4 of 5" in note for note in some.notes)


def test_a_dense_graph_is_not_mined_for_four_atoms():
    rng = np.random.default_rng(0)
    facts = np.stack([rng.integers(0, n, 300) for n in (30, 2, 30)], axis=1).astype(np.int32)
    assert affordable_lengths(build_walk_index(KnowledgeGraph(facts, 30, 2)), 1e9, 1e9).max() == 3


@settings(deadline=None)
@given(graphs())
def test_mined_evidence_is_the_counted_one(graph):
    rules = mine_rules(graph, min_support=1)
    assert count_rules(rules, graph) == rules
    assert not any(rule.is_trivial for rule in rules)
    keys = [(-rule.confidence, -rule.support) for rule in rules]
    assert keys == sorted(keys)


def test_rediscovers_a_rule_and_keeps_the_best():
    # 20 families: x brother of a, a father of y, x uncle of y; every fourth uncle is not told.
    facts = []
    for family in range(20):
        x, a, y = 3 * family, 3 * family + 1, 3 * family + 2
        facts += [(x, 0, a), (a, 1, y)] + ([(x, 2, y)] if family % 4 else [])
    graph = KnowledgeGraph(np.array(facts, dtype=np.int32), 60, 3)
    rules = [str(rule) for rule in mine_rules(graph, min_confidence=0.5)]
    assert "0.75  15/20  2(X,Y) <- 0(X,A), 1(A,Y)" in rules
    assert [str(rule) for rule in mine_rules(graph, top=2)] == rules[:2]
    best = mine_rules(graph, per_relation=1)
    assert sorted(rule.head.relation for rule in best) == ["0", "1", "2"]


def test_small_tables_grow(monkeypatch):
    rng = np.random.default_rng(0)
    facts = np.stack([rng.integers(0, n, 400) for n in (9, 12, 9)], axis=1).astype(np.int32)
    graph = KnowledgeGraph(facts, 9, 12)
    index = build_walk_index(graph)
    mined = mine_paths(index, max_length=3, min_support=1, min_confidence=0, per_relation=10**6)
    assert len(mined.heads) > 5 * (1 << 12)  # more than a table begins with
    some = mine_rules(graph, max_length=3, min_support=1, top=300)
    assert count_rules(some, graph) == some
    monkeypatch.setattr(rule_paths, "_SLOTS", 1 << 12)
    assert len(mine_paths(index, max_length=3, min_support=1, min_confidence=0).heads) > 0


def test_length_follows_the_budget():
    rng = np.random.default_rng(0)
    facts = np.stack([rng.integers(0, n, 300) for n in (30, 2, 30)], axis=1).astype(np.int32)
    index = build_walk_index(KnowledgeGraph(facts, 30, 2))
    for budget, long, expected in ((0, 0, 1), (1e5, 0, 2), (1e5, 1e9, 3), (1e9, 0, 3)):
        assert affordable_lengths(index, budget, long).tolist() == [expected] * 2


@settings(deadline=None, max_examples=60)
@given(graphs(max_entities=6, max_relations=2, max_facts=20), st.floats(0, 400), st.floats(0, 200))
def test_what_a_budget_leaves_is_exact_and_the_rest_is_noted(graph, budget, long):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_plan, "LONG", long)
        patch.setattr(rule_bodies, "_FEW", 0)  # the cheaper direction, always
        index = build_walk_index(graph)
        free = mine_paths(index, max_length=3, min_support=1, min_confidence=0)
        mined = mine_paths(index, budget=budget, min_support=1, min_confidence=0)
    exact = {
        (h, p): (s, b)
        for h, p, s, b in zip(free.heads, free.paths, free.support, free.body_count, strict=True)
    }
    for h, p, s, b in zip(mined.heads, mined.paths, mined.support, mined.body_count, strict=True):
        # A detour stays where the shorter rule beside it was not counted.
        assert exact.get((h, p), count(graph, h, p)) == (s, b)
    if not mined.notes:
        assert len(mined.heads) == len(exact)


def test_a_time_budget_reaches_further(monkeypatch):
    monkeypatch.setattr(rule_plan, "BUDGET", 1e5)
    monkeypatch.setattr(rule_plan, "LONG", 0)
    rng = np.random.default_rng(0)
    facts = np.stack([rng.integers(0, n, 300) for n in (30, 2, 30)], axis=1).astype(np.int32)
    graph = KnowledgeGraph(facts, 30, 2)
    for seconds, longest in ((None, 2), (600.0, 3)):
        rules = mine_rules(graph, min_confidence=0, seconds=seconds, notes=[])
        assert max(len(rule.body) for rule in rules) == longest


def test_twins_are_told_apart():
    # 0 and 1 are twins along r; 2 has as many neighbours, but others; 3 has none.
    facts = [(0, 0, 5), (0, 0, 6), (1, 0, 5), (1, 0, 6), (2, 0, 5), (2, 0, 7), (5, 1, 8), (7, 1, 8)]
    graph = KnowledgeGraph(np.array(facts, np.int32), 9, 2)
    bodies = rule_bodies.Bodies(build_walk_index(graph))
    base = 2 * graph.n_relations + 1
    for path in product(range(4), repeat=2):
        code = np.array([(path[0] + 1) * base**3 + (path[1] + 1) * base**2])
        expected = sum(len(reached({tuple(row) for row in facts}, 2, path, x)) for x in range(9))
        assert bodies(code).tolist() == [expected]


def hub(n=2000, seed=0):
    """Everything is a thing and lives in one of 20 cities; some know others of their city."""
    rng = np.random.default_rng(seed)
    x = np.arange(n)
    known = (x[: n // 3] + 20 * rng.integers(1, n // 20, n // 3)) % n
    parts = [
        np.stack([x, np.zeros(n, int), np.full(n, n)], axis=1),
        np.stack([x, np.ones(n, int), n + 1 + x % 20], axis=1),
        np.stack([x[: n // 3], np.full(n // 3, 2), known], axis=1),
    ]
    return KnowledgeGraph(np.concatenate(parts).astype(np.int32), n + 21, 3)


def test_a_hub_costs_no_other_relation_its_rules(monkeypatch):
    monkeypatch.setattr(rule_plan, "LONG", 1e7)
    graph, notes = hub(), []
    index = build_walk_index(graph)
    assert affordable_lengths(index, 2e6, 1e7).tolist() == [2, 3, 3]
    mined = mine_paths(index, budget=2e6)
    found = set(zip(mined.heads, mined.paths, strict=True))
    assert (1, (2, 1)) in found, "in(X,Y) <- knows(X,A), in(A,Y)"
    assert (0, (2, 0)) in found, "type(X,Y) <- knows(X,A), type(A,Y)"
    assert any("only rules of up to 2 atoms" in note for note in mined.notes)
    mine_rules(graph, max_length=2, notes=notes)
    assert notes == []


@pytest.mark.parametrize("place", [0, 15, 30])
@pytest.mark.parametrize("budget", [3e5, 1e6, 2e6])
def test_a_rule_of_one_atom_is_found_wherever_its_relation_stands(place, budget, monkeypatch):
    """Bodies of dense relations exceed the budget; those of one atom cost no more than edges."""
    monkeypatch.setattr(rule_plan, "LONG", 0)
    rng = np.random.default_rng(0)
    noise = np.stack([rng.integers(0, n, 12_000) for n in (400, 30, 400)], axis=1)
    noise[:, 1] += noise[:, 1] >= place
    x, y = 400 + rng.integers(0, 9000, (2, 3000))
    pairs = [np.stack([a, np.full(3000, place), b], axis=1) for a, b in ((x, y), (y, x))]
    graph = KnowledgeGraph(np.concatenate([noise, *pairs]).astype(np.int32), 9400, 31)
    mined = mine_paths(build_walk_index(graph), budget=budget)
    assert (place, (place + 31,)) in set(zip(mined.heads, mined.paths, strict=True))
    assert any("candidate bodies were left out" in note for note in mined.notes)


@pytest.mark.parametrize("place", [0, 31])
def test_what_is_supported_well_for_its_walks_is_counted_before_what_is_rare(place, monkeypatch):
    """A rule of two atoms with thousands of facts, among thousands of bodies that are cheaper."""
    monkeypatch.setattr(rule_plan, "LONG", 0)
    rng = np.random.default_rng(0)
    noise = np.stack([rng.integers(0, n, 12_000) for n in (400, 30, 400)], axis=1)
    noise[:, 1] += 2 * (place == 0)
    part, whole = (1, 0) if place == 0 else (30, 31)
    x, y, z = 400 + rng.integers(0, 9000, (3, 3000))
    planted = [
        np.stack([a, np.full(3000, r), b], axis=1)
        for a, r, b in ((x, part, y), (y, part, z), (x, whole, z))
    ]
    graph = KnowledgeGraph(np.concatenate([noise, *planted]).astype(np.int32), 9400, 32)
    mined = mine_paths(build_walk_index(graph), budget=1.5e6)
    assert (whole, (part, part)) in set(zip(mined.heads, mined.paths, strict=True))
    assert any("candidate bodies were left out" in note for note in mined.notes)


def test_what_was_left_out_is_a_warning_without_a_list(monkeypatch):
    monkeypatch.setattr(rule_plan, "BUDGET", 0)
    graph = hub(200)
    with pytest.warns(UserWarning, match="only rules of up to 1 atom"):
        mine_rules(graph, min_confidence=0.5)


def test_the_time_that_ended_is_noted():
    mined = mine_paths(build_walk_index(hub(200)), max_length=1, stop=lambda: True)
    assert mined.notes == ["warning: the time ended before 2 of 3 relations were mined"]


@pytest.mark.parametrize(
    "parameters",
    [{"max_length": 5}, {"min_support": 0}, {"min_confidence": 1.5}, {"top": 0}],
)
def test_parameters_out_of_range(parameters):
    graph = KnowledgeGraph(np.zeros((0, 3), dtype=np.int32), 2, 1)
    with pytest.raises(InvalidParameter, match=next(iter(parameters))):
        mine_rules(graph, **parameters)
    assert mine_rules(graph) == []
