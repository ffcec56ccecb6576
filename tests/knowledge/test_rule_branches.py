"""Rules about an entity: counts and mining equal the definition, on random multigraphs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import branches, count, count_branch, graphs, reached

from parsimony.errors import InvalidParameter, UnknownEntity
from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.knowledge.rule_branch_mining import mine_branches
from parsimony.knowledge.rule_branches import Branch, count_branches, encode_branch, from_branch
from parsimony.knowledge.rule_counts import count_rules, pca_confidences
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.knowledge.rule_walks import build_walk_index
from parsimony.knowledge.rules import Rule, parse_rule


@settings(deadline=None)  # the first call compiles
@given(st.data())
def test_counts_equal_the_definition(data):
    graph = data.draw(graphs())
    asked = data.draw(st.lists(branches(graph), max_size=6))
    counted = count_branches(build_walk_index(graph), asked)
    assert [tuple(row) for row in counted.tolist()] == [count_branch(graph, b) for b in asked]


@settings(deadline=None)
@given(st.data())
def test_a_branch_is_a_rule(data):
    graph = data.draw(graphs())
    relations = [f"r{i}" for i in range(graph.n_relations)]
    entities = [("A", "B1", "anna", "a b", "5", "é", "")[i] for i in range(graph.n_entities)]
    branch = data.draw(branches(graph))
    rule = from_branch(branch, relations, entities)
    assert rule == rule.canonical() == parse_rule(str(rule))
    ids = ({name: i for i, name in enumerate(names)} for names in (relations, entities))
    assert encode_branch(rule, *ids) == branch


@settings(deadline=None, max_examples=60)
@given(
    graphs(max_entities=6, max_relations=2, max_facts=20),
    st.integers(1, 2),
    st.sampled_from([0.0, 0.3]),
)
def test_all_rules_are_found(graph, min_support, least):
    n, entities = graph.n_relations, range(graph.n_entities)
    mined = mine_branches(
        build_walk_index(graph), min_support=min_support, min_confidence=least,
        per_relation=10**6, per_constant=10**4,
    )  # fmt: skip
    found = {row[:4]: row[4:] for row in zip(*(a.tolist() for a in mined[:-1]), strict=True)}
    assert len(found) == len(mined.step)
    evidence = {
        (step, c, body, end): count_branch(graph, Branch(step, c, (body,), end))[:2]
        for step, c, body, end in product(range(2 * n), entities, range(2 * n), [-1, *entities])
    }
    expected = {}
    for (step, c, body, end), (support, of) in evidence.items():
        more, whole = evidence[step, c, body, -1]
        narrower = end >= 0 and more >= min_support and support * whole <= more * of
        if support >= min_support and support >= least * of and not narrower:
            expected[step, c, body, end] = support, of
    assert found == expected
    assert mined.notes == []


@settings(deadline=None)
@given(graphs())
def test_mined_evidence_is_the_counted_one(graph):
    rules = mine_rules(graph, min_support=1, max_length=1, constants=True)
    assert count_rules(rules, graph) == rules
    assert [r for r in rules if not r.names_entity] == mine_rules(
        graph, min_support=1, max_length=1
    )


@settings(deadline=None)
@given(st.data())
def test_pca_confidence(data):
    graph = data.draw(graphs(max_entities=5))
    branch = data.draw(branches(graph))
    n = graph.n_relations
    names = [str(i) for i in range(n)]
    steps = data.draw(st.lists(st.integers(0, 2 * n - 1), min_size=1, max_size=3))
    path = Rule.from_path("0", [(str(s % n), s >= n) for s in steps])
    entities = [str(i) for i in range(graph.n_entities)]
    of_branch, of_path = pca_confidences([from_branch(branch, names, entities), path], graph)
    support, _, known = count_branch(graph, branch)
    assert of_branch == (support / known if known else 0)
    facts = {tuple(map(int, row)) for row in graph.triples}
    subjects = {h for h, r, _ in facts if r == 0}
    support = count(graph, 0, steps)[0]
    wrong = sum(
        (x, 0, y) not in facts for x in subjects for y in reached(facts, n, tuple(steps), x)
    )
    assert of_path == (support / (support + wrong) if support else 0)


def test_what_was_left_out_is_noted():
    rng = np.random.default_rng(0)
    facts = np.stack([rng.integers(0, n, 400) for n in (30, 3, 30)], axis=1).astype(np.int32)
    index = build_walk_index(KnowledgeGraph(facts, 30, 3))
    whole = mine_branches(index, min_confidence=0)
    assert whole.notes == []
    few = mine_branches(index, min_confidence=0, budget=3000)
    assert "pairs of relation and entity" in few.notes[0]
    rows = {tuple(r) for r in np.stack(whole[:-1], 1).tolist()}
    assert 0 < len(few.step) < len(rows)
    assert {tuple(r) for r in np.stack(few[:-1], 1).tolist()} <= rows
    best = mine_branches(index, min_confidence=0, per_relation=5)
    assert len(best.step) == 15 and "5 best of each relation" in best.notes[0]
    one = mine_branches(index, min_confidence=0, per_constant=1)
    assert len(set(zip(one.step.tolist(), one.constant.tolist(), strict=True))) == len(one.step)


@pytest.fixture
def people():
    entities = Vocabulary(["anna", "bert", "carl", "France", "Lyon", "French"])
    relations = Vocabulary(["born_in", "in", "speaks"], "relation")
    facts = [(0, 0, 4), (1, 0, 4), (2, 0, 3), (4, 1, 3), (0, 2, 5), (2, 2, 5)]
    return KnowledgeGraph(np.array(facts, np.int32), 6, 3, entities, relations)


def test_by_hand(people):
    clauses = (
        "speaks(X,French) <- born_in(X,Lyon)",
        "speaks(P,French) <- born_in(P,Q), in(Q,France)",
        "speaks(X,French) <- born_in(X,A)",
        "born_in(anna,Y) <- born_in(bert,Y)",
    )
    counted = count_rules(map(parse_rule, clauses), people)
    found = [(rule.support, rule.body_count) for rule in counted]
    assert found == [(1, 2), (1, 2), (2, 3), (1, 1)]
    assert pca_confidences(counted, people) == [1, 1, 1, 1]


def test_errors(people):
    with pytest.raises(UnknownEntity, match="did you mean 'French'"):
        count_rules([parse_rule("speaks(X,Frensh) <- born_in(X,Lyon)")], people)
    with pytest.raises(UnknownEntity, match="a variable is one capital letter"):
        count_rules([parse_rule("born_in(X,Place) <- born_in(X,A)")], people)
    for clause in (
        "speaks(X,French) <- born_in(A,Lyon)",
        "speaks(X,French) <- born_in(X,A), born_in(X,B)",
        "speaks(X,French) <- born_in(X,Lyon), in(Lyon,France)",
        "speaks(X,French) <- born_in(X,A), in(A,B), in(B,A)",
    ):
        with pytest.raises(InvalidParameter, match="not a path from X"):
            count_rules([parse_rule(clause)], people)
    long = ", ".join(f"in(A{i},A{i + 1})" for i in range(9)).replace("A0,", "X,")
    with pytest.raises(InvalidParameter, match="9 body atoms"):
        count_rules([parse_rule(f"speaks(X,French) <- {long}")], people)
