"""The fused propagation against plain torch with autograd and against the equations themselves.

These are docs/methods/redgnn.md, eqs. 1–6, by the letter.

``dense_scores`` below is RED-GNN and AdaProp as the papers write them: one query, one edge at a
time, dense arrays over the entities. It shares no code with the package but ``expand_reference``.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import ATTENTION_DIM, DIM, DTYPES, assert_close, cases

from parsimony.errors import MissingExtra
from parsimony.graph import KnowledgeGraph
from parsimony.kernels.redgnn.frontier import expand_reference
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.presets import published_adaprop, published_redgnn
from parsimony.link.reasoning.propagation import Propagation
from parsimony.link.reasoning.propagation_torch import plain_forward, plain_loss
from parsimony.link.reasoning.torch_device import PlainPropagation
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import GATES, Weights, layout
from parsimony.link.task import Batch, training_batch

ACTIVATION = {"identity": lambda x: x, "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(x, h, w):
    x_r, x_z, x_n = np.split(w["gru.W_ih"] @ x + w["gru.b_ih"], 3)
    y_r, y_z, y_n = np.split(w["gru.W_hh"] @ h + w["gru.b_hh"], 3)
    r, z = sigmoid(x_r + y_r), sigmoid(x_z + y_z)
    return (1 - z) * np.tanh(x_n + r * y_n) + z * h


def seen(r, asked, n_relations, architecture):
    """The row of the relation table that an edge reads."""
    other = asked + n_relations if asked < n_relations else asked - n_relations
    if architecture.relative and r in (asked, other):
        return 2 * n_relations + (1 if r == asked else 2)
    return r


def dense_scores(graph, architecture, w, head, relation, active):
    """f(u, q, ·) over all entities, and the smallest margin of a top-K decision."""
    h = np.zeros((graph.n_entities, architecture.dim))
    reached, margin = [head], np.inf
    scores = np.zeros(graph.n_entities)
    for layer in range(architecture.n_layers):
        of = {n: w[f"layer{layer}.{n}"] for n in
              ("relation", "W_s", "W_r", "W_q", "b_q", "w_alpha", "b_alpha", "W_h")}  # fmt: skip
        of_sampler = {n: w[f"layer{layer}.{n}"] for n in ("W_prior_q", "W_prior_r", "criteria")
                      if architecture.mix_criteria}  # fmt: skip
        (after,), (edges,) = expand_reference(graph.triples, graph.n_relations, active, [reached])
        e_q = of["relation"][relation]
        message, into = np.zeros_like(h), defaultdict(list)
        for s, r, o, _ in edges:
            e_r = of["relation"][seen(r, relation, graph.n_relations, architecture)]
            z = of["W_s"] @ h[s] + of["W_r"] @ e_r + of["W_q"] @ e_q + of["b_q"]
            alpha = sigmoid(of["w_alpha"] @ np.maximum(z, 0) + of["b_alpha"][0])
            message[o] += alpha * (h[s] + e_r)
            into[o].append((alpha, e_r))
        x = {o: ACTIVATION[architecture.activation](of["W_h"] @ message[o]) for o in after}
        if architecture.top_k is not None:
            new = after[len(reached) :]
            judged = message if architecture.from_message else x
            logit = {o: w[f"layer{layer}.w_sample"] @ judged[o] for o in new}
            if architecture.mix_criteria:
                gate = np.exp(of_sampler["criteria"][relation])
                gate /= gate.sum()
                prior_q = of_sampler["W_prior_q"] @ e_q
                for o in new:
                    mean = np.mean([alpha for alpha, _ in into[o]])
                    priors = [prior_q @ of_sampler["W_prior_r"] @ e_r for _, e_r in into[o]]
                    logit[o] = gate @ [logit[o], np.log(mean), np.log(np.exp(priors).sum())]
            order = sorted(logit, key=lambda o: -logit[o])
            k = architecture.top_k
            if len(order) > k:
                margin = min(margin, logit[order[k - 1]] - logit[order[k]])
            after = reached + order[:k]
        state = {o: gru(x[o], h[o], w) for o in after}  # h[o] = 0 where just reached
        h = np.zeros_like(h)
        for o in after:
            h[o] = state[o]
        reached = after
        if architecture.mix_depths:
            gate = np.exp(w["readout.depth"][relation])
            scores += gate[layer] / gate.sum() * (h @ w["readout.w"])
    if not architecture.mix_depths:
        scores = h @ w["readout.w"]
    return scores, set(reached), margin


@st.composite
def models(draw, top_k, **how):
    """A random graph with queries, an architecture and weights in float64."""
    case = draw(cases(max_queries=4, **how))
    architecture = Architecture(
        case.graph.n_relations, DIM, ATTENTION_DIM, draw(st.integers(1, 3)),
        draw(st.sampled_from(["identity", "relu", "tanh"])), 0.0,
        draw(st.integers(1, 4)) if top_k else None, draw(st.booleans()),
        *(top_k and draw(st.booleans()) for _ in range(3)),
    )  # fmt: skip
    shapes = layout(
        case.graph.n_relations, DIM, ATTENTION_DIM, architecture.n_layers, sampler=top_k,
        relative=architecture.relative, mix_depths=architecture.mix_depths,
        mix_criteria=architecture.mix_criteria,
    )  # fmt: skip
    weights = Weights(shapes, dtype=np.float64).initialise(case.rng)
    for gate in (name for name in weights if name.endswith(GATES)):  # they begin even
        weights[gate][...] = case.rng.standard_normal(weights[gate].shape)
    counts = case.rng.integers(1, 3, len(case.heads))
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    answers = case.rng.integers(0, case.graph.n_entities, ptr[-1]).astype(np.int32)
    some = case.rng.random((len(case.heads), case.graph.n_entities)) < draw(
        st.sampled_from([0.0, 0.5])
    )
    known_ptr = np.concatenate([[0], np.cumsum(some.sum(1))]).astype(np.int64)
    known = np.nonzero(some)[1].astype(np.int32)
    batch = Batch(case.heads, case.relations, ptr, answers, known_ptr, known)
    return case, architecture, weights, batch


def cast(weights, dtype):
    return Weights(weights.shapes, weights.flat.astype(dtype))


def propagation(case, architecture, dtype, collapse):
    walkable = Walkable(case.graph.digraph)
    return Propagation(
        walkable, case.graph.n_entities, architecture, dtype=dtype, collapse=collapse
    )


def dense(frontier, scores, n_entities):
    out = np.zeros((len(frontier.ptr) - 1, n_entities))
    for b in range(len(out)):
        inside = slice(frontier.ptr[b], frontier.ptr[b + 1])
        out[b, frontier.node[inside]] = scores[frontier.row[inside]]
    return out


def autograd(model, *, collapse, train_seed):
    """Loss and flat gradient of the plain twin."""
    case, architecture, weights, batch = model
    twin = {name: torch.from_numpy(w.copy()).requires_grad_() for name, w in weights.items()}
    frontier, scores = plain_forward(
        Walkable(case.graph.digraph), case.graph.n_entities, architecture, twin, case.heads,
        case.relations, case.active, collapse=collapse, train_seed=train_seed,
    )  # fmt: skip
    loss = plain_loss(frontier, scores, case.graph.n_entities, batch)
    loss.backward()
    gradient = Weights(weights.shapes, dtype=np.float64)
    for name, value in twin.items():
        if value.grad is not None:
            gradient[name][...] = value.grad.numpy()
    return loss.item(), gradient


def fused(model, *, dtype, collapse, train_seed):
    case, architecture, weights, batch = model
    form = propagation(case, architecture, dtype, collapse)
    gradient = Weights(weights.shapes, dtype=dtype)
    loss = form.loss_and_gradient(
        cast(weights, dtype), batch, case.active, gradient, train_seed=train_seed
    )
    return loss, gradient


# ---- scores ----------------------------------------------------------------------------------


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("top_k", [False, True], ids=["redgnn", "adaprop"])
@given(data=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=SLOW)
def test_scores_are_those_of_the_paper(top_k, dtype, collapse, data):
    case, architecture, weights, *_ = data.draw(models(top_k))
    graph = case.graph
    expected = [
        dense_scores(graph, architecture, weights, int(u), int(q), case.active)
        for u, q in zip(case.heads, case.relations, strict=True)
    ]
    # Which of two nodes with equal logits stays is nobody's to say.
    assume(min(margin for *_, margin in expected) > 1e-4)
    form = propagation(case, architecture, dtype, collapse)
    frontier, scores = form.forward(cast(weights, dtype), case.heads, case.relations, case.active)
    assert_close(dense(frontier, scores, graph.n_entities), [s for s, *_ in expected], dtype)
    for b, (_, reached, _) in enumerate(expected):
        nodes = frontier.node[frontier.ptr[b] : frontier.ptr[b + 1]].tolist()
        assert set(nodes) == reached
        assert len(nodes) == len(reached)


@given(models(top_k=False))
@settings(deadline=None, max_examples=25, suppress_health_check=SLOW)
def test_buffers_carry_nothing_from_batch_to_batch(model):
    case, architecture, weights, *_ = model
    form = propagation(case, architecture, np.float64, True)
    _, first = form.forward(weights, case.heads, case.relations, case.active)
    first = first.copy()
    gradient = Weights(weights.shapes, dtype=np.float64)
    last = case.graph.n_entities - 1
    other = np.array([[last, 0, last]], np.int32)
    form.loss_and_gradient(
        weights, training_batch(other, case.graph.n_relations), np.ones_like(case.active),
        gradient, train_seed=1,
    )  # fmt: skip
    _, again = form.forward(weights, case.heads, case.relations, case.active)
    np.testing.assert_array_equal(first, again)


# ---- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@given(model=models(top_k=False))
@settings(deadline=None, max_examples=40, suppress_health_check=SLOW)
def test_redgnn_loss_and_gradient(dtype, collapse, model):
    expected_loss, expected = autograd(model, collapse=False, train_seed=3)
    loss, gradient = fused(model, dtype=dtype, collapse=collapse, train_seed=3)
    assert_close(loss, expected_loss, dtype)
    assert_close(gradient.flat, expected.flat, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(model=models(top_k=True))
@settings(deadline=None, max_examples=40, suppress_health_check=SLOW)
def test_adaprop_loss_and_gradient(dtype, model):
    expected_loss, expected = autograd(model, collapse=False, train_seed=3)
    loss, gradient = fused(model, dtype=dtype, collapse=False, train_seed=3)
    assert_close(loss, expected_loss, dtype)
    assert_close(gradient.flat, expected.flat, dtype)


@given(model=models(top_k=True))
@settings(deadline=None, max_examples=40, suppress_health_check=SLOW)
def test_adaprop_collapsed_has_the_same_loss(model):
    """Noise is drawn a node, so the same nodes stay; only the sampler's gradient is shared."""
    loss, gradient = fused(model, dtype=np.float64, collapse=False, train_seed=3)
    collapsed, shared = fused(model, dtype=np.float64, collapse=True, train_seed=3)
    assert collapsed == pytest.approx(loss, rel=1e-8)
    assert_close(shared["readout.w"], gradient["readout.w"], np.float64)
    assert np.isfinite(shared.flat).all()


@pytest.mark.parametrize("collapse", [False, True])
@given(model=models(top_k=False), seed=st.integers(0, 2**40))
@settings(deadline=None, max_examples=25, suppress_health_check=SLOW)
def test_gradient_under_dropout(collapse, model, seed):
    """The same seed draws the same masks, so the loss has a directional derivative."""
    case, architecture, weights, batch = model
    smooth = "tanh" if architecture.activation == "relu" else architecture.activation
    architecture = Architecture(
        architecture.n_relations, DIM, ATTENTION_DIM, architecture.n_layers, smooth, 0.4
    )
    model = (case, architecture, weights, batch)
    _, gradient = fused(model, dtype=np.float64, collapse=collapse, train_seed=seed)
    direction = np.random.default_rng(seed).standard_normal(len(weights.flat))
    direction /= np.linalg.norm(direction)
    step = 1e-6
    ahead, behind = (
        fused(
            (case, architecture, Weights(weights.shapes, weights.flat + sign * step * direction),
             batch),
            dtype=np.float64, collapse=collapse, train_seed=seed,
        )[0]
        for sign in (1, -1)
    )  # fmt: skip
    scale = max(1.0, float(np.linalg.norm(gradient.flat)))
    assert gradient.flat @ direction == pytest.approx(
        (ahead - behind) / (2 * step), abs=1e-5 * scale
    )


def test_collapse_computes_equal_states_once():
    """A hub whose thousand leaves differ in nothing: one row for all of them."""
    leaves = np.arange(1, 1001)
    triples = np.stack([np.zeros_like(leaves), np.zeros_like(leaves), leaves], 1)
    graph = KnowledgeGraph(triples.astype(np.int32), 1001, 1)
    architecture = Architecture(1, DIM, ATTENTION_DIM, 2)
    weights = Weights(layout(1, DIM, ATTENTION_DIM, 2, sampler=False)).initialise(
        np.random.default_rng(0)
    )
    heads = np.zeros(2, np.int32)
    rows = {}
    for collapse in (False, True):
        form = Propagation(Walkable(graph.digraph), 1001, architecture, collapse=collapse)
        frontier, _ = form.forward(weights, heads, heads, np.ones(1000, np.uint8))
        rows[collapse] = form.counts.rows
        assert len(frontier.node) == 2002
    assert rows == {False: 2 * 2 * 1001, True: 2 * 2}


# ---- the published sizes (docs/methods/redgnn.md, eq. 7) -----------------------------------------

YAGO_REDGNN = {"dim": 48, "attention_dim": 5, "n_layers": 3}
YAGO_ADAPROP = {"dim": 64, "attention_dim": 2, "n_layers": 8}


@pytest.mark.parametrize(
    ("name", "n_relations", "redgnn", "adaprop"),
    [
        ("family", 12, 26_865, 48_424),
        ("umls", 46, 44_156, 80_439),
        ("wn18rr", 11, 34_855, 77_848),
        ("fb15k-237", 237, 117_500, 195_341),
        ("nell-995", 200, 125_575, 654_470),
        ("yago3-10", 37, 34_065, 99_816),
    ],
)
def test_parameter_counts(name, n_relations, redgnn, adaprop):
    for preset, sampler, published in (
        (published_redgnn(name) or YAGO_REDGNN, False, redgnn),
        (published_adaprop(name) or YAGO_ADAPROP, True, adaprop),
    ):
        shapes = layout(
            n_relations, preset["dim"], preset["attention_dim"], preset["n_layers"],
            sampler=sampler,
        )  # fmt: skip
        assert len(Weights(shapes).flat) == published


# ---- the accelerator's form ------------------------------------------------------------------


@pytest.mark.parametrize("top_k", [False, True], ids=["redgnn", "adaprop"])
@given(data=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=SLOW)
def test_the_form_for_accelerators_is_the_same_function(top_k, data):
    """``--device`` swaps the form behind one interface; here it runs on the processor."""
    model = data.draw(models(top_k))
    case, architecture, weights, batch = model
    walkable = Walkable(case.graph.digraph)
    form = PlainPropagation(walkable, case.graph.n_entities, architecture, "cpu")
    frontier, scores = form.forward(weights, case.heads, case.relations, case.active)
    fused_form = propagation(case, architecture, np.float64, not top_k)
    expected_frontier, expected = fused_form.forward(
        weights, case.heads, case.relations, case.active
    )
    n = case.graph.n_entities
    assert_close(dense(frontier, scores, n), dense(expected_frontier, expected, n), np.float64)
    gradient = Weights(weights.shapes, dtype=np.float64)
    loss = form.loss_and_gradient(weights, batch, case.active, gradient, train_seed=3)
    expected_loss, expected_gradient = fused(
        model, dtype=np.float64, collapse=not top_k, train_seed=3
    )
    assert loss == pytest.approx(expected_loss, rel=1e-8)
    assert_close(gradient.flat, expected_gradient.flat, np.float64)


def test_an_absent_device_is_an_error():
    graph = KnowledgeGraph(np.array([[0, 0, 1]], np.int32), 2, 1)
    architecture = Architecture(1, DIM, ATTENTION_DIM, 1)
    with pytest.raises(MissingExtra, match="not available"):
        PlainPropagation(Walkable(graph.digraph), 2, architecture, "meta:x")
