"""How deep a reasoner walks: what is measured, and that what costs too much is not."""

import numpy as np
import pytest

from parsimony.graph import KnowledgeGraph
from parsimony.link.reasoning import depth
from parsimony.link.reasoning.depth import choose_depth, depth_note, depths


def with_hubs(seed, n=400, m=1500):
    """A graph in which some entities have very many facts."""
    random = np.random.default_rng(seed)
    ends = (n * random.random((m, 2)) ** 3).astype(np.int32)
    return KnowledgeGraph(np.insert(ends, 1, random.integers(0, 3, m), axis=1), n, 3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most", [10, 300, 1000, 2500])
def test_steps_that_cost_too_much_are_not_measured_and_nothing_else_changes(
    seed, most, monkeypatch
):
    graph = with_hubs(seed)
    whole = depths(graph, facts=50)
    assert len(whole) == depth.DEEPEST
    monkeypatch.setattr(depth, "MOST_EDGES", most)
    monkeypatch.setattr(depth, "CHEAP_EDGES", most / 3)
    found = depths(graph, facts=50)
    able = [each for each in whole if each.steps <= 2 or each.edges <= most]
    assert found == able
    assert choose_depth(found) == choose_depth(whole)
    more = len(able) < depth.DEEPEST
    assert ("more than" in depth_note(found, 2)) == more


def test_a_chain_is_joined_again_by_nothing_and_a_square_by_three_steps():
    chain = KnowledgeGraph(np.array([[i, 0, i + 1] for i in range(9)], np.int32), 10, 1)
    assert [each.joined for each in depths(chain)] == [0.0] * depth.DEEPEST
    square = KnowledgeGraph(np.array([[i, 0, (i + 1) % 4] for i in range(4)], np.int32), 4, 1)
    assert [each.joined for each in depths(square)] == [0, 0, 1, 1, 1]
