"""Strata of the answers against plain sets and a breadth-first search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.link.test_edge_graphs import LINE, data

from parsimony.graph import KnowledgeGraph
from parsimony.link import strata as strata_module
from parsimony.link.strata import FAR, KINDS, UNREACHABLE, distances, measure_strata, strata_of
from parsimony.link.task import LinkTask
from parsimony.metrics import Ranks

facts = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 2), st.integers(0, 11)), min_size=1, max_size=25
)


def steps(triples, start, end):
    """The length of the shortest walk over facts in either direction, by levels; None for none."""
    level, seen, n = {start}, {start}, 0
    while level:
        if end in level:
            return n
        level = {
            y for h, _, t in triples for x, y in ((h, t), (t, h)) if x in level and y not in seen
        }
        seen |= level
        n += 1
    return None


@settings(max_examples=30)
@given(facts)
def test_distances_are_those_of_a_breadth_first_search(triples):
    graph = KnowledgeGraph(np.array(triples), 12, 3)
    one, other = (ends.ravel() for ends in np.mgrid[:12, :12])
    for start, end, found in zip(one, other, distances(graph, one, other), strict=True):
        expected = steps(triples, start, end)
        assert found == (UNREACHABLE if expected is None else min(expected, FAR))


def test_distances_in_small_parts(monkeypatch):
    triples = [(i, 0, i + 1) for i in range(6)] + [(0, 1, 0), (8, 0, 9)]
    graph = KnowledgeGraph(np.array(triples), 10, 2)
    one, other = (ends.ravel() for ends in np.mgrid[:10, :10])
    whole = distances(graph, one, other)
    monkeypatch.setattr(strata_module, "_PRODUCTS", 1)
    assert np.array_equal(distances(graph, one, other), whole)


def plain(task, split):
    """The strata of every answer, in the order of the queries, by sets."""
    train = [tuple(fact) for fact in task.train_graph.triples.tolist()]
    queries, n = task.queries(split), task.n_relations
    rows = []
    for i in range(len(queries)):
        about, asked = int(queries.head[i]), int(queries.relation[i])
        for answer in queries.answer[queries.answer_ptr[i] : queries.answer_ptr[i + 1]].tolist():
            heads, relation = asked >= n, asked % n
            head, tail = (answer, about) if heads else (about, answer)
            seen = (
                any((h, r) == (head, relation) for h, r, _ in train),
                any((r, t) == (relation, tail) for _, r, t in train),
            )
            far = steps(train, head, tail)
            rows.append({
                "side": "head" if heads else "tail",
                "half_links": {(True, True): "both", (True, False): "head",
                               (False, True): "tail", (False, False): "none"}[seen],
                "distance": "unreachable" if far is None
                else "4 and more" if far > 3 else str(far),
                "in_degree": sum(1 for fact in train if fact[0 if heads else 2] == answer),
            })  # fmt: skip
    return rows


@settings(max_examples=30)
@given(facts, facts)
def test_strata_are_those_of_plain_sets(train, test):
    task = LinkTask(data(train, [], test, n_entities=12, n_relations=3))
    found = strata_of(task.queries("test"))
    expected = plain(task, "test")
    assert list(found) == list(KINDS)
    for kind, strata in found.items():
        # Every answer is in one stratum of a kind, and no stratum is empty.
        assert (np.sum(list(strata.values()), axis=0) == 1).all()
        assert all(members.any() for members in strata.values())
        if kind != "in_degree":
            for name, members in strata.items():
                assert [row[kind] == name for row in expected] == members.tolist()
    for name, members in found["in_degree"].items():
        low, *high = (int(word) for word in name.split() if word.isdigit())
        limit = high[0] if high else np.inf if "more" in name else low
        assert [low <= row["in_degree"] <= limit for row in expected] == members.tolist()


def test_the_measures_of_a_stratum_are_those_of_its_answers():
    task = LinkTask(data(LINE, [(0, 0, 2)], [(1, 0, 3), (0, 0, 0)]))
    queries = task.queries("test")
    answers = np.arange(len(queries.answer))
    ranks = Ranks(answers, 0 * answers, 0 * answers, answers % 2)
    strata = strata_of(queries)
    found = measure_strata(ranks, strata)
    for kind, rows in found.items():
        assert [row["stratum"] for row in rows] == list(strata[kind])
        assert sum(row["n_queries"] for row in rows) == len(answers)
        for row in rows:
            own = 1.0 / (1 + answers[strata[kind][row["stratum"]]])
            assert row["mrr"] == pytest.approx(own.mean())
            low, high = row["interval"]
            assert own.min() - 1e-12 <= low <= high <= own.max() + 1e-12
    assert {row["stratum"] for row in found["distance"]} == {"0", "2"}
