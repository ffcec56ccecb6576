"""Rules about an entity answer queries by their definition, explain, and are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import branches, graphs, holds_branch

from parsimony import datasets
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_branches import from_branch
from parsimony.knowledge.rule_walks import build_walk_index, without_facts
from parsimony.knowledge.rules import Atom, Rule, format_rules, parse_rule, parse_rules
from parsimony.link.rules.constants import BranchRules, known_here
from parsimony.link.rules.grounding import groundings
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask


def fired(graph, asked, entity, relation, facts):
    """By definition: every entity that a rule leads to."""
    n = graph.n_relations
    pairs = set()
    for i, (step, constant, path, end) in enumerate(asked):
        if path == (step,) and end == constant:
            continue
        if step == relation and holds_branch(facts, n, path, entity, constant, end):
            pairs.add((constant, i))
        if step == (relation + n) % (2 * n) and constant == entity:
            pairs |= {
                (x, i)
                for x in range(graph.n_entities)
                if holds_branch(facts, n, path, x, constant, end)
            }
    return pairs


@settings(deadline=None)  # the first call compiles
@given(st.data())
def test_what_fires_is_what_holds(data):
    graph = data.draw(graphs())
    asked = list(dict.fromkeys(data.draw(st.lists(branches(graph), max_size=6))))
    facts = {tuple(map(int, row)) for row in graph.triples}
    gone = data.draw(st.sampled_from(sorted(facts)) if facts else st.just((0, 0, 0)))
    whole = BranchRules(asked, build_walk_index(graph))
    for rules, left in (
        (whole, facts),
        (whole.on(without_facts(whole.index, [gone])), facts - {gone}),
    ):
        for entity in range(graph.n_entities):
            for relation in range(2 * graph.n_relations):
                found, by = (a.tolist() for a in rules.fired(entity, relation))
                pairs = list(zip(found, by, strict=True))
                assert len(set(pairs)) == len(pairs)
                assert set(pairs) == fired(graph, asked, entity, relation, left)
                for v, i in pairs:
                    (walk,) = rules.walks(i, relation, entity, v)
                    assert len(walk) == len(asked[i].path)
                    assert {edge[:3] for edge in walk} <= left


@settings(deadline=None)
@given(st.data(), st.sampled_from(["max", "noisy-or"]))
def test_they_add_to_path_rules(data, aggregation):
    graph = data.draw(graphs())
    n = graph.n_relations
    names, entities = [str(i) for i in range(n)], [str(i) for i in range(graph.n_entities)]
    drawn = data.draw(st.lists(branches(graph), max_size=4))
    about = [from_branch(b, names, entities) for b in dict.fromkeys(drawn)]
    about = [Rule(r.head, r.body, confidence=0.5) for r in about]
    path = parse_rule("0.25 0(X,Y) <- 0(Y,X)")
    facts = {tuple(map(int, row)) for row in graph.triples}
    scorer = RuleScorer([*about, path], graph, aggregation=aggregation)
    for x in range(graph.n_entities):
        row = scorer.score(x, 0)[0]
        pairs = fired(graph, list(dict.fromkeys(drawn)), x, 0, facts)
        for y in range(graph.n_entities):
            said = [0.5] * sum(v == y for v, _ in pairs) + [0.25] * ((y, 0, x) in facts)
            if aggregation == "noisy-or":
                expected = -np.log1p(-np.array(said)).sum()
            else:
                expected = -np.log1p(-max(said, default=0))
            assert row[y] == pytest.approx(expected, rel=1e-3 if aggregation == "max" else 1e-5)
            if said:
                grounded = groundings(scorer, x, 0, y, n_rules=99)
                assert all(g.walks for g in grounded)


def test_a_most_confident_of_equal_rules_and_unknown_entities():
    graph = KnowledgeGraph(np.array([[0, 0, 1], [2, 1, 1]], np.int32), 3, 2)
    rules = parse_rules("0.5 1(X,2) <- 0(X,1)\n0.75 1(P,2) <- 0(P,1)\n0.9 1(X,9) <- 0(X,1)\n")
    here = known_here(rules, graph)
    assert here == rules[:2]
    scorer = RuleScorer(here, graph, aggregation="max")
    assert scorer.score(0, 1)[0].tolist() == pytest.approx([0, 0, -np.log(0.25)])
    assert scorer.score(2, 3)[0].tolist() == pytest.approx([-np.log(0.25), 0, 0])


@pytest.fixture(scope="module")
def task():
    return LinkTask(datasets.load("royal"))


@pytest.fixture(scope="module")
def reasoner(task):
    return RuleReasoner(constants=True, max_rules=100, smoothing=5, max_length=2).fit(task)


def test_validation_decides(task):
    free = RuleReasoner(smoothing=5, max_length=2).fit(task)
    tried = [entry["constants"] for entry in free.history_ if "constants" in entry]
    assert tried == sorted(tried) and set(tried) == {False, True}
    used = any(way.constants for way in free.ways_.combinations.values())
    assert free.resolved_.constants is used is any(r.names_entity for r in free.rules_)
    without = RuleReasoner(constants=False, max_length=2).fit(task)
    assert not any(r.names_entity for r in without.rules_)


def test_they_are_kept_and_taken_back(task, reasoner, tmp_path):
    assert any(rule.names_entity for rule in reasoner.rules_)
    reasoner.save(tmp_path / "run")
    loaded = RuleReasoner.load(tmp_path / "run")
    assert loaded.rules_ == reasoner.rules_
    queries = np.array([[0, 6], [5, 17], [100, 8]])
    np.testing.assert_array_equal(loaded.scores(queries), reasoner.scores(queries))
    assert parse_rules(format_rules(reasoner.rules_)) == reasoner.rules_
    once = RuleReasoner(
        aggregation="max", max_rules=100, smoothing=5, constants=True, max_length=2
    ).fit(task)
    again = RuleReasoner(aggregation="max", smoothing=5).fit(task, knowledge=once.rules_)
    np.testing.assert_array_equal(again.scores(queries), once.scores(queries))


@pytest.mark.parametrize("side", ["tail", "head"])
def test_they_explain(task, side):
    data = task.data
    mother, name = data.relations.index("mother"), data.entities.name
    child = next(name(t) for _, r, t in data.train.tolist() if r == mother)
    rule = Rule(Atom("father", name(0), "Y"), (Atom("mother", "A", "Y"),), confidence=0.9)
    only = RuleReasoner(aggregation="max", smoothing=0).fit(task, knowledge=[rule])
    told = only.explain(name(0), "father", child, side=side)
    assert told.rules == (rule,)
    (path,) = told.paths
    assert (path.steps[0].tail, path.steps[0].direction) == (child, "inverse")
    assert told.faithfulness.deleted_drop > 0
    assert "mother" in str(told) and "father" in told.html()
