"""An explanation by rules, and what deletions do, equal those by definition: one at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.link.rules.test_rule_scoring import rule_sets

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_branches import ANY, Branch, entity_names, from_branch
from parsimony.knowledge.rule_counts import relation_names
from parsimony.knowledge.rule_walks import without_facts
from parsimony.knowledge.rules import Rule
from parsimony.link.question import Question
from parsimony.link.rules.combining import BEST_TWO, Combination
from parsimony.link.rules.deleting import MOST, Deletions, scores_without
from parsimony.link.rules.grounding import groundings
from parsimony.link.rules.scoring import RuleScorer


def walked_facts(scorer, entity, relation):
    """All facts that some rule walks in answering, one entity after the other."""
    body, n = scorer.body(relation), scorer.index.n_relations
    facts, levels = set(), [{entity}]
    for step, depth in zip(body.trie.step.tolist(), body.trie.depth.tolist(), strict=True):
        del levels[depth:]
        levels.append(set())
        for u in levels[depth - 1]:
            for v in scorer.index.neighbours(u, step).tolist():
                levels[depth].add(v)
                facts.add((v, step - n, u) if step >= n else (u, step, v))
    for v, i in zip(*(a.tolist() for a in scorer.about.fired(entity, relation)), strict=True):
        for walk in scorer.about.walks(i, relation, entity, v):
            facts |= {edge[:3] for edge in walk}
    return facts


@st.composite
def scorers(draw):
    """Path rules and rules about an entity on a small graph, combined in each way."""
    graph, rules = draw(rule_sets())
    n, e = graph.n_relations, graph.n_entities
    entity, step = st.integers(0, e - 1), st.integers(0, 2 * n - 1)
    branches = st.builds(
        Branch, step, entity, st.lists(step, min_size=1, max_size=3).map(tuple),
        st.one_of(entity, st.just(ANY)),
    )  # fmt: skip
    names = relation_names(graph), entity_names(graph)
    for branch in draw(st.lists(branches, max_size=4)):
        rule = from_branch(branch, *names)
        confidence = draw(st.sampled_from([0.25, 0.5, 0.9]))
        rules.append(Rule(rule.head, rule.body, confidence=confidence))
    how = draw(st.sampled_from(["max", "noisy-or", "clusters", BEST_TWO]))
    combined = dict.fromkeys(range(2 * n), Combination(how, threshold=0.5))
    return RuleScorer(rules, graph, combinations=combined)


@settings(deadline=None, max_examples=40)
@given(scorers(), st.data())
def test_many_deletions_at_once_are_each_deletion_alone(scorer, data):
    graph, index = scorer.graph, scorer.index
    n, facts = graph.n_relations, [tuple(row) for row in graph.triples.tolist()]
    ids = [data.draw(st.integers(0, k - 1)) for k in (graph.n_entities, n, graph.n_entities)]
    fact = data.draw(st.sampled_from([*facts, tuple(ids)]))
    side = data.draw(st.sampled_from(["head", "tail"]))
    question = Question.of(fact, side, n)
    ways = (
        data.draw(st.lists(st.lists(st.sampled_from(facts), max_size=3), max_size=5))
        if facts
        else []
    )
    alone = scorer.on(without_facts(index, [fact]))

    deletions = Deletions(index, [fact])
    deletions.add([])
    followed, walked = deletions.follow(scorer, question.entity, question.relation)
    assert [*map(deletions.fact, walked.tolist())] == sorted(
        walked_facts(alone, question.entity, question.relation)
    )
    nodes, scores = scorer.combined(followed.under(0), question.relation)
    row = np.zeros(graph.n_entities, np.float32)
    row[nodes] = scores
    np.testing.assert_array_equal(row, alone.score(*question.query)[0])

    expected = [
        scorer.on(without_facts(index, [fact, *way])).score(*question.query)[0, question.answer]
        for way in ways
    ]
    assert scores_without(scorer, question, [fact], ways) == expected

    leading = followed.rules_to(0, question.answer).tolist()
    backwards = side == "head"
    assert groundings(scorer, *fact, backwards=backwards, leading=leading) == groundings(
        alone, *fact, backwards=backwards
    )


def test_more_deletions_than_bits_are_asked_in_parts():
    graph = KnowledgeGraph(np.array([[0, 0, k] for k in range(1, 4)], np.int32), 5, 2)
    rule = Rule.from_path("1", [("0", False)])
    scorer = RuleScorer([Rule(rule.head, rule.body, confidence=0.5)], graph)
    some = itertools.islice(itertools.cycle([[], [(0, 0, 2)], [(0, 0, 1)]]), MOST + 9)
    left = scores_without(scorer, Question(0, 1, 1), [], [*some])
    assert left == [*itertools.islice(itertools.cycle([left[0], left[0], 0]), MOST + 9)]
    assert left[0] == pytest.approx(np.log(2))
