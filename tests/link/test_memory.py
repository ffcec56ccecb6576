"""What a formula says a fit takes, against what it takes; what is made smaller."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony import load
from parsimony.base.memory import fit_into, parse_memory, total
from parsimony.errors import InvalidParameter
from parsimony.kernels.redgnn.frontier import Scratch, expand, start
from parsimony.link import LinkTask
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.reach import GROWTH, batch_bytes, walked
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights, layout
from parsimony.methods import resolve
from parsimony.run.seeds import rng


@pytest.fixture(scope="module")
def task():
    return LinkTask(load("royal"))


@pytest.mark.parametrize("top_k", [None, 20])
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_takes_what_its_buffers_hold(task, top_k, training):
    graph, queries = task.train_graph, 24
    shape = Architecture(task.n_relations, 32, 5, 3, "relu", 0.1, top_k, False)
    steps = walked(graph, shape, queries, 0, training=training)
    weights = Weights(layout(task.n_relations, 32, 5, 3, sampler=top_k is not None, relative=False))
    weights.initialise(rng(0, "weights"))
    made = Propagation(Walkable(graph.digraph), graph.n_entities, shape)
    facts = graph.triples[rng(0, "walked").integers(len(graph), size=queries)]
    active = np.ones(len(graph), np.uint8)
    seed = 5 if training else None
    frontier, scores = made.forward(
        weights, facts[:, 0].copy(), facts[:, 1].copy(), active, train_seed=seed
    )
    if top_k is None:  # the sampler keeps others
        assert len(frontier.node) == steps[-1].nodes
        assert len(scores) == steps[-1].rows
        assert made.counts.edges == sum(step.edges for step in steps)
    assert len(frontier.node) == pytest.approx(steps[-1].nodes, rel=0.15)
    kept = [made.space._buffer[name].nbytes / 1.5 for name in made.space._buffer]
    held = sum(kept) + sum(layer.step.source.nbytes * 2 for layer in made._layers)
    if not training:
        said = batch_bytes(graph, shape, queries, 0, training=False) / GROWTH
        assert said == pytest.approx(held, rel=0.2)


def test_all_of_a_graph_is_walked_where_it_can_be(task):
    graph = task.train_graph
    shape = Architecture(task.n_relations, 8, 3, 2)
    steps = walked(graph, shape, 5, 1, training=False)
    facts = graph.triples[rng(1, "walked").integers(len(graph), size=5)]
    frontier, _ = start(facts[:, 0], facts[:, 1], share=False)
    row_query = np.arange(5, dtype=np.int32)
    for said in steps:  # without merging equal states
        step = expand(
            graph.digraph[:3], graph.n_relations, frontier, row_query, Scratch(graph.n_entities),
            collapse=False,
        )  # fmt: skip
        assert said.visited == step.edges_visited
        assert said.nodes == len(step.frontier.node)
        assert said.rows <= len(step.indptr) - 1
        frontier, row_query = step.frontier, step.query


@pytest.mark.parametrize("method", ["redgnn", "adaprop", "complex", "transe"])
def test_sizes_are_halved_until_they_fit(task, method):
    made = resolve(method)(batch=50_000, eval_batch=20_000)
    made.prepare(task)
    whole = total(made.memory_parts())
    notes = fit_into(made, task, int(made.memory_parts()[""] + 2e7))
    assert total(made.memory_parts()) < whole
    assert made.resolved_.batch < 50_000 or made.resolved_.eval_batch < 20_000
    assert f"batch={made.resolved_.batch:,}" in notes[0] or "eval_batch" in notes[0]
    assert fit_into(made, task, 10**15) == []
    with pytest.raises(InvalidParameter, match=r"more than the 0\.001 GB allowed"):
        fit_into(made, task, 10**6)


def test_what_has_no_formula_says_so(task):
    made = resolve("rules")()
    made.prepare(task)
    assert fit_into(made, task, 10**6)[0].startswith("warning: how much memory rules takes")


def test_amounts():
    assert [parse_memory(text) for text in ("4G", "500M", "2.5 gb", "1000", "1k", "1T")] == [
        4 * 10**9, 5 * 10**8, 25 * 10**8, 1000, 1000, 10**12,
    ]  # fmt: skip
