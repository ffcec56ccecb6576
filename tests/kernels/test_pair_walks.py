"""Walk counts against walks written down one by one, on random multigraphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import cases

from parsimony.errors import InvalidParameter
from parsimony.kernels.emergnn.graph import PairGraph
from parsimony.kernels.emergnn.metapaths import count_walks, walk_kinds, walks_of


@settings(max_examples=60, deadline=None)
@given(case=cases(min_queries=2), hides=st.integers(0, 7), undirected=st.booleans())
def test_counts_are_those_of_walks_written_down(case, hides, undirected):
    """Relation 0 and 1 of the random graph are interactions, its third is the background's."""
    triples = case.graph.triples
    types = min(2, case.graph.n_relations)
    facts, rest = triples[triples[:, 1] < types], triples[triples[:, 1] >= types] - [0, types, 0]
    n = case.graph.n_entities
    built = PairGraph(n, rest.astype(np.int32), 1, facts, types)
    graph = built.activate(case.active[: len(facts)] if len(facts) else np.zeros(0, np.uint8))
    kinds = walk_kinds(types, types + 1, np.array([False] * types + [undirected]))
    assert kinds.n == 5 - undirected
    pairs = np.array(
        [(a, b) for a in case.heads for b in range(n) if a != b][:8], np.int32
    ).reshape(-1, 2)
    hidden = np.full(len(pairs), hides, np.uint8)
    every = np.arange(kinds.n**3)
    some = every[::3]
    counts, by_type = count_walks(graph, pairs, hidden, kinds, every, every)
    fewer, _ = count_walks(graph, pairs, hidden, kinds, some, some[:0])
    for i, (u, v) in enumerate(pairs.tolist()):
        one, other = walks_of(graph, u, v, hides, kinds)
        dense = np.zeros(kinds.n**3)
        for code, number in one.items():
            dense[code] = number
        typed = np.zeros((kinds.n**3, types))
        for (code, kind), number in other.items():
            typed[code, kind] = number
        np.testing.assert_array_equal(counts[[i]].toarray()[0], dense)
        np.testing.assert_array_equal(fewer[[i]].toarray()[0], dense[some])
        np.testing.assert_array_equal(by_type[[i]].toarray()[0], typed.ravel())


def test_signatures_and_their_numbers():
    kinds = walk_kinds(2, 4, np.array([False, False, False, True]))
    # interaction, its inverse, relation 2, its inverse, relation 3 both ways, the identity
    assert kinds.n == 6
    assert kinds.of.tolist() == [0, 0, 1, 2, 3, 3, 4, 2, 5]
    assert kinds.signature(kinds.code(3, 5, 1)) == (3, 5, 1)
    with pytest.raises(InvalidParameter, match="too many"):
        walk_kinds(2, 300, np.zeros(300, bool))
