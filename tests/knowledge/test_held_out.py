"""Entries against held-out facts: counted by plain loops, and what few hits mean."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.graph import KnowledgeGraph
from parsimony.graph.vocabulary import Vocabulary
from parsimony.knowledge import mine_rules, parse_rule
from parsimony.knowledge.axioms import parse_axiom
from parsimony.knowledge.book import Entry, KnowledgeBook
from parsimony.knowledge.held_out import check_held_out, judge


def graph_of(triples, n, relations):
    entities = Vocabulary([f"e{i}" for i in range(n)])
    return KnowledgeGraph(triples, n, len(relations), entities, Vocabulary(relations, "relation"))


def connected(rule, facts, names):
    """Pairs that a path body connects, by plain loops; each with the facts walked."""
    found = [(x, x, ()) for x in {e for h, _, t in facts for e in (h, t)}]
    for name, back in rule.steps:
        edges = [(t, h) if back else (h, t) for h, r, t in facts if names[r] == name]
        of = [f for f in facts if names[f[1]] == name]
        found = [
            (x, b, (*walked, fact))
            for x, y, walked in found
            for (a, b), fact in zip(edges, of, strict=True)
            if a == y
        ]
    return found


def test_hits_and_expectation_are_those_of_plain_loops():
    random, names = np.random.default_rng(3), ["r", "s"]
    facts = np.unique(random.integers([12, 2, 12], size=(110, 3)), axis=0)
    drawn = random.permutation(len(facts))
    train, held = facts[drawn[30:]], facts[drawn[:30]]
    graph = graph_of(train, 12, names)
    rules = mine_rules(graph, min_support=1, min_confidence=0.0, max_length=2)[:40]
    known, hidden = {*map(tuple, train.tolist())}, {*map(tuple, held.tolist())}
    checked = check_held_out(KnowledgeBook.of_rules(rules), graph, held)
    assert any(row.hits for row in checked)
    for rule, row in zip(rules, checked, strict=True):
        head = names.index(rule.head.relation)
        walks = connected(rule, known, names)
        reached = {(x, y) for x, y, _ in walks}
        own = {(x, y) for x, y, walked in walks if (x, head, y) not in walked}
        support = sum((x, head, y) in known for x, y in own)
        fresh = sum((x, head, y) not in known for x, y in reached)
        share = sum(f[1] == head for f in hidden) / sum(f[1] == head for f in known)
        assert row.hits == sum((x, head, y) in hidden for x, y in reached)
        assert row.expected == pytest.approx(min(support * share, fresh))


@pytest.mark.parametrize(
    ("hits", "expected", "verdict"),
    [(0, 92.0, "broken"), (0, 1.0, "untested"), (0, 0.0, "untested"), (11, 12.0, "holds"),
     (1, 0.3, "holds"), (60, 100.0, "weaker"), (40, 100.0, "broken")],
)  # fmt: skip
def test_what_hits_mean(hits, expected, verdict):
    assert judge([hits], [expected]) == [verdict]


def test_a_rule_that_can_find_nothing_is_not_broken_by_it():
    pairs = [(2 * i, 2 * i + 1) for i in range(40)]
    both = np.array([f for a, b in pairs for f in ((a, 0, b), (b, 0, a))])
    train, held = both[:60], both[60:]  # either direction of a pair is held out with the other
    book = KnowledgeBook(
        (
            Entry(parse_rule("r(X,Y) <- r(Y,X)")),
            Entry(parse_axiom("symmetric(r)")),
            Entry(parse_axiom("functional(r)")),
        )
    )
    rule, symmetric, functional = check_held_out(book, graph_of(train, 80, ["r"]), held)
    assert (rule.hits, rule.expected, rule.verdict) == (0, 0.0, "untested")
    assert symmetric.verdict == "untested"
    assert functional.verdict == "holds"


def test_chance_is_found_out():
    random = np.random.default_rng(0)
    a = np.stack([np.arange(60), np.zeros(60, int), np.arange(60) + 60], 1)
    train = np.concatenate([a, a + np.array([0, 1, 0])])  # s states what r does, in training alone
    held = np.stack([random.permutation(60), np.ones(60, int), random.permutation(60)], 1)
    more = np.stack([np.arange(60), np.zeros(60, int), random.permutation(60) + 60], 1)
    book = KnowledgeBook((Entry(parse_rule("s(X,Y) <- r(X,Y)")),))
    (row,) = check_held_out(book, graph_of(np.concatenate([train, more]), 120, ["r", "s"]), held)
    assert (row.hits, row.verdict) == (0, "broken")


def test_where_the_time_is_over_the_rest_is_untested(monkeypatch):
    monkeypatch.setattr("parsimony.knowledge.held_out._PART", 1)
    train = np.stack([np.arange(60), np.zeros(60, int), np.arange(60) + 60], 1)
    facts = np.concatenate([train, train[:50] + np.array([0, 1, 0])])
    rules = [parse_rule("0.5  2/4  r(X,Y) <- s(X,Y)"), parse_rule("0.8  50/60  s(X,Y) <- r(X,Y)")]
    notes = []
    checked = check_held_out(
        KnowledgeBook.of_rules(rules), graph_of(facts, 120, ["r", "s"]),
        train[50:] + np.array([0, 1, 0]), stop=lambda: True, notes=notes,
    )  # fmt: skip
    assert [(row.hits, row.verdict) for row in checked] == [(0, "untested"), (10, "holds")]
    assert "1 of 2 rules" in notes[0]
