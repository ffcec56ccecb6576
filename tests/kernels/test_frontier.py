"""Frontier expansion against its readable twin and against states written out in full."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import cases

from parsimony.graph import KnowledgeGraph
from parsimony.kernels.redgnn.frontier import (
    Frontier,
    Scratch,
    expand,
    expand_reference,
    restrict,
    start,
)

STEPS = 3


def of_query(frontier, b):
    inside = slice(frontier.ptr[b], frontier.ptr[b + 1])
    return frontier.node[inside].tolist(), frontier.row[inside].tolist()


def in_edges(step, row):
    inside = slice(step.indptr[row], step.indptr[row + 1])
    return list(zip(step.source[inside].tolist(), step.relation[inside].tolist(), strict=True))


@given(cases())
@settings(deadline=None, max_examples=60)
def test_restrict_drops_the_edges_of_inactive_facts(case):
    digraph = case.graph.digraph
    indptr, neighbour, relation = restrict(*digraph, case.active)
    for v in range(case.graph.n_entities):
        expected = [
            (digraph.neighbour[e], digraph.relation[e])
            for e in range(digraph.indptr[v], digraph.indptr[v + 1])
            if case.active[digraph.fact[e]]
        ]
        inside = slice(indptr[v], indptr[v + 1])
        assert list(zip(neighbour[inside], relation[inside], strict=True)) == expected


@given(cases(max_queries=4))
@settings(deadline=None, max_examples=60)
def test_one_row_a_node_is_the_reference(case):
    graph = case.graph
    walkable = restrict(*graph.digraph, case.active)
    scratch = Scratch(graph.n_entities)
    frontier, of_row = start(case.heads, case.relations, share=False)
    assert of_row.tolist() == case.relations.tolist()
    row_query = np.arange(len(of_row), dtype=np.int32)
    reached = [[int(h)] for h in case.heads]
    for _ in range(STEPS):
        step = expand(walkable, graph.n_relations, frontier, row_query, scratch, collapse=False)
        after, used = expand_reference(graph.triples, graph.n_relations, case.active, reached)
        assert step.edges_visited == sum(map(len, used)) == len(step.source)
        assert sorted(step.frontier.row.tolist()) == list(range(len(step.frontier.node)))
        node_of_row = np.empty(len(frontier.node), np.int64)
        node_of_row[frontier.row] = frontier.node
        for b in range(len(case.heads)):
            before_nodes, before_rows = of_query(frontier, b)
            nodes, rows = of_query(step.frontier, b)
            n_before = len(before_nodes)
            assert nodes[:n_before] == before_nodes
            assert sorted(nodes[n_before:]) == after[b][n_before:]
            for i, (v, row) in enumerate(zip(nodes, rows, strict=True)):
                assert (row < len(step.previous)) == (i < n_before)
                if i < n_before:
                    assert step.previous[row] == before_rows[i]
                assert step.query[row] == b
                sources = in_edges(step, row)
                assert {s for s, _ in sources} <= set(before_rows)
                assert Counter((int(node_of_row[s]), r) for s, r in sources) == Counter(
                    (s, r) for s, r, o, _ in used[b] if o == v
                )
        reached = [of_query(step.frontier, b)[0] for b in range(len(case.heads))]
        frontier, row_query = step.frontier, step.query


@given(cases(max_queries=6))
@settings(deadline=None, max_examples=100)
def test_two_nodes_share_a_row_exactly_when_their_states_are_equal(case):
    """States as nested multisets of (source state, relation), numbered; queries of one relation
    begin in one state, as in RED-GNN's recursion."""
    graph = case.graph
    walkable = restrict(*graph.digraph, case.active)
    scratch = Scratch(graph.n_entities)
    frontier, of_row = start(case.heads, case.relations, share=True)
    distinct = np.unique(case.relations)
    assert of_row.tolist() == distinct.tolist()
    row_query = np.arange(len(distinct), dtype=np.int32)
    state = [{int(h): int(q)} for h, q in zip(case.heads, case.relations, strict=True)]
    state_of_row = {int(i): int(q) for i, q in enumerate(distinct)}
    for _ in range(STEPS):
        step = expand(walkable, graph.n_relations, frontier, row_query, scratch, collapse=True)
        _, used = expand_reference(
            graph.triples, graph.n_relations, case.active, [list(s) for s in state]
        )
        assert step.edges_visited == sum(map(len, used))
        number: dict[object, int] = {}
        next_state: list[dict[int, int]] = []
        for b, before in enumerate(state):
            multiset: dict[int, Counter] = {}
            for s, r, o, _ in used[b]:
                multiset.setdefault(o, Counter())[before[s], r] += 1
            next_state.append(
                {
                    o: number.setdefault(frozenset(edges.items()), len(number))
                    for o, edges in multiset.items()
                }
            )
            nodes, rows = of_query(step.frontier, b)
            assert set(nodes) == set(multiset)
            for v, row in zip(nodes, rows, strict=True):
                edges = Counter((state_of_row[s], r) for s, r in in_edges(step, row))
                assert edges == multiset[v]
                assert (row < len(step.previous)) == (v in before)
                if v in before:
                    assert state_of_row[int(step.previous[row])] == before[v]
                assert distinct[step.query[row]] == case.relations[b]
        pairs = {
            (row, next_state[b][v])
            for b in range(len(state))
            for v, row in zip(*of_query(step.frontier, b), strict=True)
        }
        assert len(pairs) == len({row for row, _ in pairs}) == len({s for _, s in pairs})
        assert len(step.indptr) - 1 == len(pairs)
        state, state_of_row = next_state, dict(pairs)
        frontier, row_query = step.frontier, step.query


@given(cases(), st.booleans())
@settings(deadline=None, max_examples=30)
def test_queries_that_reached_nothing(case, collapse):
    """Empty frontiers, alone and between others, and an empty batch."""
    graph = case.graph
    walkable = restrict(*graph.digraph, case.active)
    scratch = Scratch(graph.n_entities)
    head = int(case.heads[0])
    frontier = Frontier(
        np.array([0, 0, 1, 1], np.int64), np.array([head], np.int32), np.zeros(1, np.int32)
    )
    step = expand(
        walkable, graph.n_relations, frontier, np.zeros(1, np.int32), scratch, collapse=collapse
    )
    after, used = expand_reference(graph.triples, graph.n_relations, case.active, [[], [head], []])
    assert np.diff(step.frontier.ptr).tolist() == [len(nodes) for nodes in after]
    assert step.edges_visited == len(used[1])
    none = Frontier(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
    step = expand(
        walkable, graph.n_relations, none, np.empty(0, np.int32), scratch, collapse=collapse
    )
    assert len(step.frontier.node) == len(step.source) == step.edges_visited == 0


def test_tables_grow():
    """More rows and edges than the first capacities hold, and nodes that share rows."""
    rng = np.random.default_rng(0)
    n, m = 6000, 30_000
    triples = np.stack(
        [rng.integers(0, n, m), rng.integers(0, 4, m), rng.integers(0, n, m)], 1
    ).astype(np.int32)
    graph = KnowledgeGraph(triples, n, 4)
    walkable = restrict(*graph.digraph, np.ones(m, np.uint8))
    scratch = Scratch(n)
    heads, relations = np.arange(5, dtype=np.int32), np.zeros(5, np.int32)
    found = {}
    for collapse in (False, True):
        frontier, _ = start(heads, relations, share=collapse)
        row_query = np.arange(1 if collapse else 5, dtype=np.int32)
        for _ in range(4):
            step = expand(walkable, 4, frontier, row_query, scratch, collapse=collapse)
            frontier, row_query = step.frontier, step.query
        found[collapse] = step
    plain, collapsed = found[False], found[True]
    assert plain.edges_visited == collapsed.edges_visited == len(plain.source)
    assert plain.frontier.node.tolist() == collapsed.frontier.node.tolist()
    assert 8192 < len(collapsed.source) <= len(plain.source)
    degree = np.diff(plain.indptr)[plain.frontier.row]
    assert degree.tolist() == np.diff(collapsed.indptr)[collapsed.frontier.row].tolist()
