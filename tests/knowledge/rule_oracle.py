"""What rules mean, in plain Python over sets: the oracle of the compiled counting."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_branches import Branch


def reached(facts, n_relations, path, x):
    """Entities that a path of steps reaches from x."""
    level = {x}
    for step in path:
        if step < n_relations:
            level = {t for h, r, t in facts if r == step and h in level}
        else:
            level = {h for h, r, t in facts if r == step - n_relations and t in level}
    return level


def count(graph, head, path):
    """Support and body count by the definition: each fact is taken out before it is asked for."""
    facts = {tuple(map(int, row)) for row in graph.triples}
    support = body = 0
    for x in range(graph.n_entities):
        joined = reached(facts, graph.n_relations, path, x)
        for y in range(graph.n_entities):
            fact = (x, head, y)
            if fact in facts:
                found = y in reached(facts - {fact}, graph.n_relations, path, x)
                support += found
                body += found
            else:
                body += y in joined
    return support, body


def noisy_or(confidences):
    left = Fraction(1)
    for confidence in confidences:
        left *= 1 - Fraction(confidence)
    return float(1 - left)


@st.composite
def graphs(draw, max_entities=7, max_relations=3, max_facts=24):
    """Random multigraphs with duplicates, self-loops and isolated entities."""
    n = draw(st.integers(1, max_entities))
    r = draw(st.integers(1, max_relations))
    entity, relation = st.integers(0, n - 1), st.integers(0, r - 1)
    rows = draw(st.lists(st.tuples(entity, relation, entity), max_size=max_facts))
    return KnowledgeGraph(np.array(rows, dtype=np.int32).reshape(-1, 3), n, r)


@st.composite
def bodies(draw, graph, max_length=4):
    steps = st.integers(0, 2 * graph.n_relations - 1)
    return tuple(draw(st.lists(steps, min_size=1, max_size=max_length)))


def holds_branch(facts, n_relations, path, x, constant, end):
    """Whether distinct entities, none a constant of the rule, carry a body from x to its end."""
    constants = {constant, end} - {-1}
    if x in constants:
        return False

    def walk(here, rest, used):
        after = reached(facts, n_relations, rest[:1], here)
        if len(rest) == 1:
            return end in after if end >= 0 else bool(after - used - constants)
        return any(walk(v, rest[1:], used | {v}) for v in after - used - constants)

    return walk(x, path, {x})


def count_branch(graph, branch):
    """Support, body count and PCA body: each fact is taken out before it is asked for."""
    facts = {tuple(map(int, row)) for row in graph.triples}
    n = graph.n_relations
    step, constant, path, end = branch
    support = body = pca = 0
    for x in range(graph.n_entities):
        fact = (x, step, constant) if step < n else (constant, step - n, x)
        told = fact in facts
        if holds_branch(facts - {fact}, n, path, x, constant, end):
            support += told
            body += 1
            pca += bool(reached(facts, n, (step,), x))
    return support, body, pca


@st.composite
def branches(draw, graph, max_length=3):
    entity = st.integers(0, graph.n_entities - 1)
    step = draw(st.integers(0, 2 * graph.n_relations - 1))
    end = draw(st.just(-1) | entity)
    return Branch(step, draw(entity), draw(bodies(graph, max_length)), end)
