"""How often entities answer a relation: counted plainly, from a graph and from an index of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_walks import build_walk_index
from parsimony.link.frequency import FLOOR, UNREACHED, Beside, Frequencies, of_one

N, R = 9, 3
FACTS = st.lists(
    st.tuples(st.integers(0, N - 1), st.integers(0, R - 1), st.integers(0, N - 1)), max_size=30
)


def plainly(facts, relation, entity):
    ends = {(h, r, t) for h, r, t in facts if r == relation % R}
    return sum((h if relation >= R else t) == entity for h, _, t in ends)


@given(facts=FACTS, weight=st.sampled_from([0.0, 0.5]), unreached=st.sampled_from([*UNREACHED]))
@settings(deadline=None, max_examples=60)
def test_counts_and_scores(facts, weight, unreached):
    graph = KnowledgeGraph(np.array(sorted({*facts}), np.int32).reshape(-1, 3), N, R)
    for counted in (Frequencies.of_graph(graph), Frequencies.of_index(build_walk_index(graph))):
        for relation in range(2 * R):
            times = [plainly(facts, relation, e) for e in range(N)]
            assert [counted.times(relation, e) for e in range(N)] == times
            entities, scores = counted.of(relation, unreached, weight)
            assert entities.tolist() == [e for e in range(N) if times[e]]
            for e, score in zip(entities.tolist(), scores.tolist(), strict=True):
                rest = UNREACHED[unreached]
                if unreached == "frequency":
                    assert FLOOR <= (rest := FLOOR * (1 - times[e] / (max(times) + 1))) < 0
                assert score == pytest.approx(rest + weight * np.log1p(times[e]), rel=1e-6)
            nodes = np.arange(N, dtype=np.int32)
            beside = Beside(counted, np.array([relation]), of_one(nodes[:2]), of_one(nodes[2:4]))
            beside.reached(*of_one(nodes))
            expected = 1 + weight * np.log1p(times)
            np.testing.assert_allclose(beside.added(np.ones(N), weight), expected, rtol=1e-6)


def test_the_more_often_the_higher_the_score_of_what_is_not_reached():
    facts = [(i, 0, t) for t, n in ((0, 5), (1, 2), (2, 1)) for i in range(n)]
    graph = KnowledgeGraph(np.array(sorted({*facts}), np.int32), N, R)
    _, scores = Frequencies.of_graph(graph).of(0)
    assert (np.diff(scores) < 0).all() and scores.max() < 0 and scores.min() > FLOOR
