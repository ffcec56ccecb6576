"""Scores, ranks and reasons of rules equal their definitions; edits of the text change answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import bodies, graphs, reached

from parsimony import datasets
from parsimony.errors import InvalidParameter, UnknownRelation
from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.kernels.ranking import filtered_counts_reference
from parsimony.knowledge.rules import Rule, format_rules, parse_rules
from parsimony.link.frequency import FLOOR
from parsimony.link.rules.grounding import groundings
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.rules.scoring import RuleScorer, apply_rules
from parsimony.link.task import Filter, LinkTask, both_directions, group_answers


def facts_of(graph):
    return {tuple(map(int, row)) for row in graph.triples}


@st.composite
def rule_sets(draw):
    graph = draw(graphs())
    n = graph.n_relations
    rules = []
    for _ in range(draw(st.integers(0, 6))):
        steps = [(str(s % n), s >= n) for s in draw(bodies(graph, 3))]
        rule = Rule.from_path(str(draw(st.integers(0, n - 1))), steps)
        confidence = draw(st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]))
        rules.append(Rule(rule.head, rule.body, confidence=confidence))
    return graph, rules


def expected_scores(graph, rules, x, relation, aggregation):
    """By definition, walking heads' queries through every possible first entity."""
    n = graph.n_relations
    best = {}
    for rule in rules:
        path = tuple(int(name) + n * inverse for name, inverse in rule.steps)
        key = int(rule.head.relation), path
        best[key] = max(best.get(key, 0), rule.confidence)
    collected = [[] for _ in range(graph.n_entities)]
    for (head, path), confidence in best.items():
        if head != relation % n:
            continue
        for y in range(graph.n_entities):
            start, goal = (x, y) if relation < n else (y, x)
            if goal in reached(facts_of(graph), n, path, start):
                collected[y].append(min(confidence, 1 - 1e-6))
    scores = np.zeros(graph.n_entities)
    for y, found in enumerate(collected):
        if found and aggregation == "noisy-or":
            # In logarithms: 1 − Π(1 − c) of three sure rules rounds to 1.
            scores[y] = -sum(math.log1p(-confidence) for confidence in found)
        elif found:  # ties cost less than a thousandth
            scores[y] = -math.log1p(-max(found))
    return scores


@settings(deadline=None)
@given(rule_sets(), st.sampled_from(["noisy-or", "max"]), st.data())
def test_scores_equal_the_definition(case, aggregation, data):
    graph, rules = case
    relation = data.draw(st.integers(0, 2 * graph.n_relations - 1))
    queries = [(x, relation) for x in range(graph.n_entities)]
    blocks = list(apply_rules(rules, graph, queries, aggregation=aggregation, block=2))
    expected = [expected_scores(graph, rules, x, r, aggregation) for x, r in queries]
    tolerance = {"noisy-or": 1e-4, "max": 1e-3}[aggregation]
    np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=tolerance, atol=1e-6)


class Queries:
    """The part of a QuerySet that ranking reads."""

    def __init__(self, graph, triples, known):
        both = both_directions(triples, graph.n_relations)
        grouped = group_answers(both, graph.n_relations)
        self.head, self.relation, self.answer_ptr, self.answer = grouped
        known = Filter(known, graph.n_entities, graph.n_relations)
        self.known_ptr, self.known = known(self.head, self.relation)

    def __len__(self):
        return len(self.head)


@settings(deadline=None)
@given(rule_sets(), st.data())
def test_ranks_equal_the_reference(case, data):
    graph, rules = case
    entity = st.integers(0, graph.n_entities - 1)
    relation = st.integers(0, graph.n_relations - 1)
    rows = data.draw(st.lists(st.tuples(entity, relation, entity), min_size=1, max_size=5))
    triples = np.unique(np.array(rows, dtype=np.int32), axis=0)
    queries = Queries(graph, triples, np.concatenate([triples, graph.triples]))
    scorer = RuleScorer(rules, graph, aggregation="max")
    known, answers = (
        [part.tolist() for part in np.split(values, pointer[1:-1])]
        for values, pointer in (
            (queries.known, queries.known_ptr),
            (queries.answer, queries.answer_ptr),
        )
    )
    expected = filtered_counts_reference(
        scorer.score(queries.head, queries.relation), known, answers
    )
    for got, wanted in zip(scorer.rank(queries), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@settings(deadline=None)
@given(rule_sets(), st.data())
def test_groundings_are_walks_of_the_body(case, data):
    graph, rules = case
    n = graph.n_relations
    x, y = (data.draw(st.integers(0, graph.n_entities - 1)) for _ in range(2))
    r = data.draw(st.integers(0, n - 1))
    found = groundings(RuleScorer(rules, graph), x, r, y, n_rules=99, n_walks=99)
    without = facts_of(graph) - {(x, r, y)}
    for rule, _, walks in found:
        path = [int(name) + n * inverse for name, inverse in rule.steps]
        assert walks and len(set(walks)) == len(walks)
        for walk in walks:
            here = x
            for step, (head, relation, tail, inverse) in zip(path, walk, strict=True):
                assert (head, relation, tail) in without
                assert (relation, inverse) == (step % n, step >= n)
                start, after = (tail, head) if inverse else (head, tail)
                assert start == here
                here = after
            assert here == y
    supported = {
        (rule.head, rule.steps)
        for rule in rules
        if rule.head.relation == str(r)
        and y in reached(without, n, [int(name) + n * inverse for name, inverse in rule.steps], x)
    }
    assert {(g.rule.head, g.rule.steps) for g in found} == supported


@pytest.fixture
def family():
    people = Vocabulary(["anna", "bert", "carl", "dora", "emil"])
    relations = Vocabulary(["brother", "father", "uncle", "friend"], "relation")
    # bert is carl's brother; carl is anna's and dora's father; emil is bert's friend.
    facts = [(1, 0, 2), (2, 1, 0), (2, 1, 3), (1, 2, 0), (4, 3, 1), (1, 3, 4)]
    return KnowledgeGraph(np.array(facts, dtype=np.int32), 5, 4, people, relations)


TEXT = """
0.90  9/10  uncle(X,Y) <- brother(X,A), father(A,Y)
0.20  2/10  uncle(X,Y) <- friend(X,Y)
"""


def answers(text, graph, smoothing=0.0):
    (row,) = next(apply_rules(parse_rules(text), graph, [(1, 2)], smoothing=smoothing))
    return {graph.entities.name(i): 1 - math.exp(-s) for i, s in enumerate(row) if s}


def test_editing_the_text_changes_the_answers(family):
    before = answers(TEXT, family)
    assert before == pytest.approx({"anna": 0.9, "dora": 0.9, "emil": 0.2})
    # A person deletes a line …
    lines = TEXT.strip().splitlines()
    assert answers(lines[1], family) == pytest.approx({"emil": 0.2})
    # … or trusts a rule more than its counts say …
    edited = TEXT.replace("0.20", "0.95")
    assert answers(edited, family)["emil"] == pytest.approx(0.95)
    # … or writes another body, without evidence, which is then counted.
    bare = "uncle(X,Y) <- brother(X,A), father(A,Y)"
    assert answers(bare, family) == pytest.approx({"anna": 0.5, "dora": 0.5})
    assert answers(format_rules(parse_rules(TEXT)), family) == before


def test_smoothing_spares_edited_confidences(family):
    assert answers(TEXT, family, smoothing=5)["anna"] == pytest.approx(9 / 15)
    edited = TEXT.replace("0.90", "0.8")
    assert answers(edited, family, smoothing=5)["anna"] == pytest.approx(0.8)


def test_a_zero_and_the_better_of_two_equal_rules(family):
    twice = TEXT + "0.30  3/10  uncle(P,Q) <- father(Z,Q), brother(P,Z)\n"
    assert answers(twice, family)["anna"] == pytest.approx(0.9)
    assert answers("0.00  0/5  uncle(X,Y) <- friend(X,Y)", family) == {}
    assert answers("", family) == {}


def test_errors(family):
    with pytest.raises(UnknownRelation, match="did you mean 'uncle'"):
        RuleScorer(parse_rules("0.5  uncel(X,Y) <- friend(X,Y)"), family)
    with pytest.raises(InvalidParameter, match="aggregation 'or'"):
        RuleScorer([], family, aggregation="or")
    with pytest.raises(InvalidParameter, match="smoothing"):
        RuleScorer([], family, smoothing=-1)


def test_what_no_rule_reaches_comes_last_by_frequency():
    data = datasets.load("royal")
    task = LinkTask(data)
    reasoner = RuleReasoner(max_length=1, constants=False).fit(task)
    relation = data.relations.index("uncle")
    scores = reasoner.scores(np.array([[3, relation]]))[0]
    by_rules = scores > 0
    ends = data.train[data.train[:, 1] == relation, 2]
    count = np.bincount(ends, minlength=data.n_entities)[~by_rules]
    rest = scores[~by_rules]
    assert rest.max() < 0 and rest.min() == np.float32(FLOOR)
    assert np.array_equal(np.argsort(-rest, kind="stable"), np.argsort(-count, kind="stable"))
    alike = RuleReasoner(max_length=1, constants=False, unreached="zero").fit(task)
    assert set(alike.scores(np.array([[3, relation]]))[0][~by_rules].tolist()) == {0.0}
    answers = reasoner.predict(head=data.entities.name(3), relation="uncle", top=500)["answers"]
    assert len(answers) == by_rules.sum()
