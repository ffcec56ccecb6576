"""The restricted flow against full-graph propagation, values and gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import assert_close

from parsimony import errors
from parsimony.ddi.emergnn.flow import PairFlow, common_drug
from parsimony.ddi.emergnn.flow_torch import WholeGraph, plain_flow
from parsimony.kernels.emergnn.graph import PairGraph
from parsimony.kernels.emergnn.paths import HIDE_BETWEEN, HIDE_FIRST, HIDE_SECOND

DIM = 8
DTYPES = (torch.float64, torch.float32)
NAMES = ("f", "alpha", "e", "w", "b")


class Case(NamedTuple):
    """A graph with an active bitmap, and a batch of pairs."""

    graph: PairGraph
    active: np.ndarray
    normalise: str
    power: float
    pairs: np.ndarray
    rng: np.random.Generator


@st.composite
def cases(draw):
    """Isolated nodes, duplicate edges, self-loops, adjacent pairs, no path, nothing active."""
    n = draw(st.integers(2, 14))
    used = draw(st.integers(1, n))  # the others stay isolated
    drugs = draw(st.integers(1, n))
    types, kinds = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def triples(m, top, relations):
        rows = np.stack(
            [rng.integers(0, top, m), rng.integers(0, relations, m), rng.integers(0, top, m)], 1
        )
        if m:
            again = rows[rng.integers(0, m, draw(st.integers(0, 4)))]
            loops = rows[: draw(st.integers(0, 2))].copy()
            loops[:, 2] = loops[:, 0]
            rows = np.concatenate([rows, again, loops])
        return rows.astype(np.int32)

    background = triples(draw(st.integers(0, 30)), used, kinds)
    interactions = triples(draw(st.integers(0, 15)), drugs, types)
    share = draw(st.sampled_from([0.0, 0.5, 1.0]))
    active = (rng.random(len(interactions)) < share).astype(np.uint8)
    graph = PairGraph(n, background, kinds, interactions, types)
    pairs = rng.integers(0, n, (draw(st.integers(1, 3)), 2)).astype(np.int32)
    if len(interactions) and draw(st.booleans()):
        pairs[0] = interactions[0, [0, 2]]  # adjacent, if it is active
    normalise = draw(st.sampled_from(["none", "none", "relation", "total"]))
    return Case(graph, active, normalise, draw(st.sampled_from([0.5, 1.0])), pairs, rng)


def parameters(rng, n_pairs, messages, dim, biased):
    """Random inputs of a flow, in float64."""
    alpha = rng.random((n_pairs, 3, messages))
    arrays = {
        "f": rng.standard_normal((n_pairs, 2, dim)),
        "alpha": alpha,
        "e": rng.standard_normal((3, messages, dim)),
        "w": rng.standard_normal((3, dim, dim)) / np.sqrt(dim),
        "b": rng.standard_normal((3, dim)) if biased else None,
    }
    return {k: None if v is None else torch.from_numpy(v) for k, v in arrays.items()}


def leaves(values, dtype):
    return {
        k: None if v is None else v.to(dtype).clone().requires_grad_() for k, v in values.items()
    }


def twin(active_graph, pairs, x):
    whole = WholeGraph(active_graph, x["f"].dtype)
    rows = []
    for i, (u, v) in enumerate(pairs):
        rest = (x["alpha"][i], x["e"], x["w"], x["b"])
        forth = plain_flow(whole, int(u), int(v), x["f"][i, 0], *rest)
        back = plain_flow(whole, int(v), int(u), x["f"][i, 1], *rest)
        rows.append(torch.stack([forth, back]))
    return torch.stack(rows)


@given(case=cases())
@settings(deadline=None, max_examples=150)
def test_hidden_interactions_are_not_there(case):
    """Hiding equals propagation over a graph whose bitmap lacks the interactions."""
    rng, built = case.rng, case.graph
    pairs, rows = case.pairs, built.interactions
    hidden = rng.integers(0, 8, len(pairs)).astype(np.uint8)
    values = parameters(rng, len(pairs), 2 * built.n_relations + 1, DIM, biased=False)
    d_out = torch.from_numpy(rng.standard_normal((len(pairs), 2, DIM)))
    actual = leaves(values, torch.float64)
    out = PairFlow()(built.activate(case.active), pairs, *actual.values(), hidden)
    (out * d_out).sum().backward()
    expected = leaves(values, torch.float64)
    reference = []
    for i, (u, v) in enumerate(pairs):
        ends = rows[:, [0, 2]]
        gone = np.zeros(len(rows), bool)
        if hidden[i] & HIDE_FIRST:
            gone |= (ends == u).any(1)
        if hidden[i] & HIDE_SECOND:
            gone |= (ends == v).any(1)
        if hidden[i] & HIDE_BETWEEN:
            gone |= (np.sort(ends, 1) == sorted((u, v))).all(1)
        graph = built.activate(case.active * ~gone)
        one = {k: x[i : i + 1] if k in ("f", "alpha") else x for k, x in expected.items()}
        reference.append(twin(graph, pairs[i : i + 1], one))
    whole = torch.cat(reference)
    (whole * d_out).sum().backward()
    assert_close(out.detach().numpy(), whole.detach().numpy(), np.float64)
    for name in ("f", "alpha", "e", "w"):
        assert_close(actual[name].grad.numpy(), expected[name].grad.numpy(), np.float64)


def compare(active_graph, pairs, values, dtype, d_out, threads=1):
    """Values and gradients of both forms; float32 is held to the twin in float64."""
    expected = leaves(values, torch.float64)
    reference = twin(active_graph, pairs, expected)
    (reference * d_out).sum().backward()
    actual = leaves(values, dtype)
    flow = PairFlow(threads)
    out = flow(active_graph, pairs, *actual.values())
    (out * d_out.to(dtype)).sum().backward()
    flow.close()
    np_dtype = np.float64 if dtype == torch.float64 else np.float32
    assert_close(out.detach().numpy(), reference.detach().numpy(), np_dtype)
    for name in NAMES:
        if expected[name] is None:
            continue
        try:
            assert_close(actual[name].grad.numpy(), expected[name].grad.numpy(), np_dtype)
        except AssertionError as error:
            raise AssertionError(name) from error
    return reference.detach().numpy()


@pytest.mark.parametrize("biased", [True, False])
@given(case=cases())
@settings(deadline=None, max_examples=150)
def test_double_precision(biased, case):
    graph = case.graph.activate(case.active, normalise=case.normalise, power=case.power)
    values = parameters(case.rng, len(case.pairs), graph.n_messages, DIM, biased)
    d_out = torch.from_numpy(case.rng.standard_normal((len(case.pairs), 2, DIM)))
    compare(graph, case.pairs, values, torch.float64, d_out)


@pytest.mark.parametrize("biased", [True, False])
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_single_precision(biased, case):
    """ReLU's branches may differ at 0: positive parameters keep the inputs away from it."""
    graph = case.graph.activate(case.active, normalise=case.normalise, power=case.power)
    values = parameters(case.rng, len(case.pairs), graph.n_messages, DIM, biased)
    values = {k: None if v is None else v.abs() for k, v in values.items()}
    d_out = torch.from_numpy(case.rng.standard_normal((len(case.pairs), 2, DIM)))
    compare(graph, case.pairs, values, torch.float32, d_out)


def chain(length):
    """0 – 1 – … – length, one background relation."""
    steps = np.arange(length)
    return np.stack([steps, 0 * steps, steps + 1], 1).astype(np.int32)


@pytest.mark.parametrize(("length", "reached"), [(1, True), (2, True), (3, True), (4, False)])
def test_what_lies_beyond_three_steps_is_not_reached(length, reached):
    none = np.empty((0, 3), np.int32)
    graph = PairGraph(length + 1, chain(length), 1, none, 1).activate()
    rng = np.random.default_rng(0)
    values = parameters(rng, 1, graph.n_messages, DIM, biased=False)
    values = {k: None if v is None else v.abs() for k, v in values.items()}
    pairs = np.array([[0, length]], np.int32)
    d_out = torch.ones(1, 2, DIM, dtype=torch.float64)
    out = compare(graph, pairs, values, torch.float64, d_out)
    assert out.all() if reached else not out.any()


def test_an_inactive_interaction_is_not_there():
    interactions = np.array([[0, 0, 1], [1, 1, 2]], np.int32)
    built = PairGraph(3, np.empty((0, 3), np.int32), 1, interactions, 2)
    less = PairGraph(3, np.empty((0, 3), np.int32), 1, interactions[:1], 2)
    active = built.activate(np.array([1, 0], np.uint8))
    for ours, theirs in zip(active.arrays(), less.activate().arrays(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert len(built.activate().neighbour) == len(active.neighbour) + 2


def test_in_degrees_are_typed_and_count_duplicates():
    background = np.array([[0, 0, 2], [0, 0, 2], [1, 1, 2], [2, 0, 1]], np.int32)
    graph = PairGraph(3, background, 2, np.empty((0, 3), np.int32), 1).activate(
        normalise="relation", power=0.5
    )
    span = slice(graph.degree_ptr[2], graph.degree_ptr[3])
    found = dict(zip(graph.degree_relation[span], graph.degree_count[span], strict=True))
    # R = 3: background 0 and 1 are messages 1 and 2, inverses + 3, the identity 6
    assert found == {1: 2, 2: 1, 4: 1, 6: 1}
    weights = dict(zip(graph.degree_relation[span], graph.degree_weight[span], strict=True))
    assert weights[1] == pytest.approx(2**-0.5)


def dense_graph(seed, n=40, facts=400):
    rng = np.random.default_rng(seed)
    background = np.stack([rng.integers(0, top, facts) for top in (n, 4, n)], 1).astype(np.int32)
    interactions = np.stack([rng.integers(0, top, 80) for top in (15, 5, 15)], 1).astype(np.int32)
    return PairGraph(n, background, 4, interactions, 5), rng


def test_threads_give_the_same_numbers():
    built, rng = dense_graph(1)
    graph = built.activate()
    values = parameters(rng, 7, graph.n_messages, DIM, biased=True)
    pairs = rng.integers(0, 15, (7, 2)).astype(np.int32)
    d_out = torch.from_numpy(rng.standard_normal((7, 2, DIM)))
    for threads in (1, 2, 8):
        compare(graph, pairs, values, torch.float64, d_out, threads)


@pytest.mark.parametrize("dim", [5, 20])
def test_any_dimension(dim):
    """Less than a tile of the products, and tiles with a rest; DIM is one tile without a rest."""
    built, rng = dense_graph(2)
    graph = built.activate()
    values = parameters(rng, 2, graph.n_messages, dim, biased=True)
    pairs = rng.integers(0, 15, (2, 2)).astype(np.int32)
    d_out = torch.from_numpy(rng.standard_normal((2, 2, dim)))
    compare(graph, pairs, values, torch.float64, d_out)


def test_path_edges_are_counted_by_hand():
    """0 – 1 – 2 – 3: one path of three steps, none with a rest, as 0 and 3 are three apart."""
    graph = PairGraph(4, chain(3), 1, np.empty((0, 3), np.int32), 1).activate()
    values = parameters(np.random.default_rng(0), 1, graph.n_messages, DIM, biased=False)
    flow = PairFlow()
    flow(graph, np.array([[0, 3]], np.int32), *values.values())
    # N(0) = {0, 1}, N(3) = {2, 3}: middle edge 1 → 2; two edges leave 0, two enter 3
    np.testing.assert_array_equal(flow.size_, [[1 + 4, 1, 1 + 4, 1]])


def test_no_pairs_give_nothing():
    graph = PairGraph(4, chain(3), 1, np.empty((0, 3), np.int32), 1).activate()
    x = leaves(parameters(np.random.default_rng(0), 0, graph.n_messages, DIM, True), torch.float64)
    out = PairFlow(2)(graph, np.empty((0, 2), np.int32), *x.values())
    out.sum().backward()
    assert out.shape == (0, 2, DIM)
    assert not x["e"].grad.any()


def test_errors_say_what_is_wrong():
    graph = PairGraph(4, chain(3), 1, np.empty((0, 3), np.int32), 1).activate()
    x = parameters(np.random.default_rng(0), 1, graph.n_messages, DIM, True)
    with pytest.raises(errors.InvalidParameter, match=r"outside 0 … 3"):
        PairFlow()(graph, np.array([[0, 4]], np.int32), *x.values())
    with pytest.raises(errors.InvalidParameter, match=r"alpha must be .* \(1, 3, 5\)"):
        PairFlow()(graph, np.array([[0, 3]], np.int32), *{**x, "alpha": x["alpha"][:, :2]}.values())
    with pytest.raises(errors.InvalidParameter, match="one entry per interaction"):
        PairGraph(4, chain(3), 1, np.empty((0, 3), np.int32), 1).activate(np.ones(2, np.uint8))
    with pytest.raises(errors.InvalidParameter, match="background has a triple outside"):
        PairGraph(3, chain(3), 1, np.empty((0, 3), np.int32), 1)
    with pytest.raises(errors.InvalidParameter, match="threads"):
        PairFlow(0)


@pytest.mark.data
@pytest.mark.slow
def test_real_pairs(real_data, archives, monkeypatch):
    """DrugBank's S1 targets on Hetionet; few pairs, as the twin keeps every message."""
    from parsimony.ddi.emergence import simulate_emergence
    from parsimony.problems import open_task

    monkeypatch.setenv("PARSIMONY_DATA", str(real_data))
    task = open_task("ddi", "drugbank-ddi", {"setting": "S1", "graph": "hetionet"})
    train, background = task.data.pairs["train"], task.background
    rng = np.random.default_rng(0)
    emergence = simulate_emergence(train, "S1", rng)
    built = PairGraph(
        len(background.entities), background.triples, len(background.relations),
        train, task.data.n_types,
    )  # fmt: skip
    dim, n = DIM, 2
    pairs = train[rng.choice(emergence.targets, n, replace=False)][:, [0, 2]]
    graph = built.activate(emergence.active)
    values = parameters(rng, n, graph.n_messages, dim, biased=True)
    # Sums over hubs reach 10³ a layer: keep numbers near 1, as the tolerance is relative to them.
    values["w"], values["e"] = values["w"] / 10, values["e"] / 3
    whole = WholeGraph(graph, torch.float64)
    d_out = torch.from_numpy(rng.standard_normal((n, 2, dim)))
    expected = leaves(values, torch.float64)
    rows = []
    for i, (u, v) in enumerate(pairs):
        for side, (a, b) in enumerate(((u, v), (v, u))):
            rest = (expected["alpha"][i], expected["e"], expected["w"], expected["b"])
            out = plain_flow(whole, int(a), int(b), expected["f"][i, side], *rest)
            (out * d_out[i, side]).sum().backward()  # frees the edges' messages
            rows.append(out.detach())
    reference = torch.stack(rows).reshape(n, 2, dim)
    for dtype, np_dtype in ((torch.float64, np.float64), (torch.float32, np.float32)):
        actual = leaves(values, dtype)
        flow = PairFlow(2)
        out = flow(graph, pairs, *actual.values())
        (out * d_out.to(dtype)).sum().backward()
        flow.close()
        assert_close(out.detach().numpy(), reference.numpy(), np_dtype)
        for name in NAMES:
            assert_close(actual[name].grad.numpy(), expected[name].grad.numpy(), np_dtype)
    # the pairs are worth the test: paths, and their gradients
    assert (reference.abs().sum((1, 2)) > 0).all()
    assert expected["alpha"].grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_pairs_of_one_drug_are_those_of_the_flow(dtype, biased, threads, case):
    """What is shared among pairs of one drug, in any order, hidden edges or not."""
    rng, n = case.rng, case.graph.n_entities
    drug = int(case.pairs[0, 0])
    others = rng.integers(0, n, 6)
    pairs = np.stack([np.full(6, drug), others], 1)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])[rng.permutation(12)].astype(np.int32)
    pairs = np.ascontiguousarray(pairs)
    normalise = "none" if rng.random() < 0.5 else case.normalise
    graph = case.graph.activate(case.active, normalise=normalise, power=case.power)
    hidden = np.zeros(12, np.uint8)
    if not biased and normalise == "none":
        hidden = rng.choice(np.array([0, HIDE_BETWEEN, 1, 2, 3, 7], np.uint8), 12)
    values = parameters(rng, 12, graph.n_messages, DIM, biased)
    x = [None if v is None else v.to(dtype) for v in values.values()]
    assert common_drug(pairs) is not None
    expected = PairFlow()(graph, pairs, *x, hidden).numpy()
    with torch.no_grad():
        actual = PairFlow(threads)(graph, pairs, *x, hidden).numpy()
    assert_close(actual, expected, np.float32 if dtype == torch.float32 else np.float64)


def test_a_common_drug():
    pairs = np.array([[3, 5], [7, 5], [5, 3], [5, 9], [5, 5], [2, 5]])
    assert common_drug(pairs) == 5
    assert common_drug(pairs[:2]) is None
    pairs[3] = 7, 4
    assert common_drug(pairs) is None
