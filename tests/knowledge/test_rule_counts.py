"""Counted evidence equals the definition, on random multigraphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import bodies, count, graphs, reached

from parsimony.errors import InvalidParameter, UnknownRelation
from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.knowledge import rule_counts
from parsimony.knowledge.rule_counts import body_pairs, count_rules
from parsimony.knowledge.rules import Rule, parse_rule


def as_rule(graph, head, path):
    names = [(str(step % graph.n_relations), step >= graph.n_relations) for step in path]
    return Rule.from_path(str(head), names)


@settings(deadline=None)  # the first call compiles
@given(st.data())
def test_counts_equal_the_definition(data):
    graph = data.draw(graphs())
    asked = data.draw(
        st.lists(st.tuples(st.integers(0, graph.n_relations - 1), bodies(graph)), max_size=6)
    )
    counted = count_rules([as_rule(graph, *rule) for rule in asked], graph)
    expected = [count(graph, *rule) for rule in asked]
    assert [(rule.support, rule.body_count) for rule in counted] == expected
    for rule in counted:
        assert rule.confidence == (rule.support / rule.body_count if rule.body_count else 0.0)


@settings(deadline=None)  # the first call compiles
@given(st.data(), st.sampled_from([1, 3, 1 << 20]))
def test_body_pairs(data, block):
    graph = data.draw(graphs())
    path = data.draw(bodies(graph))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_counts, "_BLOCK", block)
        blocks = list(body_pairs(as_rule(graph, 0, path), graph))
    pairs = [tuple(pair) for rows in blocks for pair in rows.tolist()]
    facts = {tuple(map(int, row)) for row in graph.triples}
    assert len(set(pairs)) == len(pairs)
    assert [x for x, _ in pairs] == sorted(x for x, _ in pairs)
    assert set(pairs) == {
        (x, y) for x in range(graph.n_entities) for y in reached(facts, graph.n_relations, path, x)
    }
    assert all(len(rows) <= max(block, graph.n_entities) for rows in blocks)


@pytest.fixture
def family():
    people = Vocabulary(["anna", "bert", "carl", "dora"])
    relations = Vocabulary(["brother", "father", "uncle"], "relation")
    facts = [(1, 0, 2), (2, 1, 0), (2, 1, 3), (1, 2, 0)]
    return KnowledgeGraph(np.array(facts, dtype=np.int32), 4, 3, people, relations)


def test_by_hand(family):
    (rule,) = count_rules([parse_rule("uncle(X,Y) <- brother(X,A), father(A,Y)")], family)
    assert str(rule) == "0.50  1/2  uncle(X,Y) <- brother(X,A), father(A,Y)"
    assert count_rules([], family) == []


def test_a_fact_is_no_evidence_for_itself(family):
    rules = [
        parse_rule("uncle(X,Y) <- uncle(X,Y)"),
        # Every uncle(x, y) has this body with B = X, A = Y, by the fact itself.
        parse_rule("uncle(X,Y) <- uncle(X,A), uncle(B,A), uncle(B,Y)"),
    ]
    assert [(r.support, r.body_count) for r in count_rules(rules, family)] == [(0, 0), (0, 0)]


def test_errors(family):
    with pytest.raises(UnknownRelation, match="did you mean 'brother'"):
        count_rules([parse_rule("uncle(X,Y) <- brothr(X,Y)")], family)
    with pytest.raises(InvalidParameter, match="not a path"):
        count_rules([parse_rule("uncle(X,Y) <- brother(X,A)")], family)
    with pytest.raises(InvalidParameter, match="9 body atoms"):
        count_rules([Rule.from_path("uncle", [("father", False)] * 9)], family)
