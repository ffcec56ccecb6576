"""Exported Datalog, run by an engine of others, gives the answers that the rules give here."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import bodies, branches, graphs

from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.knowledge.rule_branches import from_branch
from parsimony.knowledge.rule_formats import to_datalog
from parsimony.knowledge.rules import Rule
from parsimony.link.rules.scoring import RuleScorer

nemo = pytest.importorskip("nmo_python", reason="pip install nemo-python", exc_type=ImportError)

HEAD = "answer"


def as_nemo(program, facts):
    """Nemo marks variables, knows no declarations, and keeps what is read apart from ``answer``."""
    rules = [line.partition("  //")[0] for line in program.splitlines() if line[0] != "."]
    marked = (re.sub(r'"[^"]*"|\b([A-Z])\b', _mark, line) for line in rules)
    return "\n".join([*(f'{r}("{h}","{t}") .' for h, r, t in facts), *marked])


def _mark(match):
    return f"?{match[1]}" if match[1] else match[0]


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_an_engine_gives_the_same_answers(data):
    graph = data.draw(graphs())
    n = graph.n_relations
    relations = [f"r{i}" for i in range(n)]
    entities = ["A", "B1", "anna", "a b", "é", "5", "x//y"][: graph.n_entities]
    if data.draw(st.booleans()):
        rule = from_branch(data.draw(branches(graph)), relations, entities)
    else:
        path = data.draw(bodies(graph, 3))
        rule = Rule.from_path("r0", [(relations[s % n], s >= n) for s in path])
    # Of its own, so that the engine does not apply the rule to what it concluded.
    rule = Rule(type(rule.head)(HEAD, *rule.head.terms), rule.body, confidence=0.5)
    rows = np.unique(graph.triples, axis=0)
    facts = [(entities[h], relations[r], entities[t]) for h, r, t in rows.tolist()]
    program = as_nemo(to_datalog([rule]), facts)
    engine = nemo.NemoEngine(nemo.load_string(program))
    engine.reason()
    said = {tuple(str(v).strip('"') for v in row) for row in engine.result(HEAD)}
    named = KnowledgeGraph(
        graph.triples, graph.n_entities, n + 1, Vocabulary(entities),
        Vocabulary([*relations, HEAD], "relation"),
    )  # fmt: skip
    scorer = RuleScorer([rule], named)
    scores = scorer.score(range(graph.n_entities), [n] * graph.n_entities)
    here = {(entities[x], entities[y]) for x, y in np.argwhere(scores > 0).tolist()}
    assert here == said
    assert all(math.isclose(s, math.log(2), rel_tol=1e-5) for s in scores[scores > 0].tolist())
