"""Walks' parts of an interaction's logit, and explanations of pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from tests.ddi.emergnn.test_flow import DIM, cases, parameters
from tests.ddi.small_pairs import families
from tests.kernels.random_multigraphs import assert_close

from parsimony.ddi.background import Background
from parsimony.ddi.emergnn.attribution import FlowWeights, Gone, PathDigraph, WalkedFlow, flow_logit
from parsimony.ddi.emergnn.flow import PairFlow
from parsimony.ddi.emergnn.method import EmerGNN
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import InvalidParameter, UnknownRelation, UsageError
from parsimony.explain import Explanation
from parsimony.graph import Vocabulary
from parsimony.kernels.emergnn.attribution import walk_shares, walk_shares_reference

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")


def inputs(case, *, biased, log_states):
    graph = case.graph.activate(case.active, normalise=case.normalise, power=case.power)
    values = parameters(case.rng, 1, graph.n_messages, DIM, biased)
    read = case.rng.standard_normal((2, DIM))
    rho = (values["alpha"][0, :, :, None] * values["e"]).numpy()
    bias = values["b"].numpy() if biased else None
    weights = FlowWeights(values["f"][0].numpy(), rho, values["w"].numpy(), bias, read, log_states)
    h = PairFlow()(graph, case.pairs[:1], *values.values())[0].numpy()
    expected = float((read * (np.log1p(h) if log_states else h)).sum())
    u, v = case.pairs[0].tolist()
    return PathDigraph(graph, u, v, 0), weights, expected


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("log_states", [False, True])
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_the_logit_is_that_of_the_flow(biased, log_states, case):
    paths, weights, expected = inputs(case, biased=biased, log_states=log_states)
    logit, _ = flow_logit(paths, weights)
    assert_close(np.array(logit), np.array(expected), np.float64)


@pytest.mark.parametrize("log_states", [False, True])
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_walks_add_up_to_the_logit_without_biases(log_states, case):
    paths, weights, expected = inputs(case, biased=False, log_states=log_states)
    _, share = flow_logit(paths, weights)
    assert_close(np.array(share.sum()), np.array(expected), np.float64)


@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_the_fused_shares_are_those_of_the_reference(case):
    paths, weights, _ = inputs(case, biased=False, log_states=False)
    walks, rng = paths.walks(), case.rng
    ahead, back = (rng.standard_normal((len(part), DIM)) for part in (paths.first, paths.last))
    factor = rng.random(len(paths.middle))
    kind = np.ascontiguousarray(paths.middle[:, 1])
    values = (walks, kind, factor, ahead, weights.rho[1], back)
    assert_close(walk_shares(*values), walk_shares_reference(*values), np.float64)


def plain_logit(paths, weights, gone):
    """The flows' part of the logit, edge by edge, for as many edges as are left."""
    total = 0.0
    for side in (0, 1):
        turned = (paths.first, paths.middle, paths.last) if side == 0 else paths.turned()
        first, middle, last = turned
        no_first, no_middle, no_last = gone if not side else gone.turned()
        rows, to = paths.nodes[1 - side], (paths.v, paths.u)[side]
        b = np.zeros((3, DIM)) if weights.b is None else weights.b
        constant = np.maximum(b[0], 0)
        state = np.zeros((len(paths.nodes[side]), DIM))
        for (x, r), lost in zip(first, no_first, strict=True):
            state[x] += 0 if lost else weights.rho[0][r] * weights.f[side]
        h1 = np.maximum(state @ weights.w[0].T + b[0], 0) - constant
        factor = paths.factors(rows[middle[:, 2]], middle[:, 1])
        z = np.zeros((len(rows), DIM))
        for y, entity in enumerate(rows.tolist()):
            span = slice(*paths.graph.degree_ptr[[entity, entity + 1]])
            count = paths.graph.degree_count[span] * paths.graph.degree_weight[span]
            z[y] = count @ weights.rho[1][paths.graph.degree_relation[span]] * constant
        for (x, r, y), lost, c in zip(middle, no_middle, factor, strict=True):
            z[y] += c * weights.rho[1][r] * (-constant if lost else h1[x])
        h2 = np.maximum(z @ weights.w[1].T + b[1], 0)
        factor = paths.factors(to, last[:, 1])
        z = np.zeros(DIM)
        for (y, r), lost, c in zip(last, no_last, factor, strict=True):
            z += 0 if lost else c * weights.rho[2][r] * h2[y]
        h3 = np.maximum(weights.w[2] @ z + b[2], 0)
        total += weights.read[side] @ (np.log1p(h3) if weights.log_states else h3)
    return total


@pytest.mark.parametrize("biased", [False, True])
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_deleted_edges_leave_the_flow_of_the_others(biased, case):
    paths, weights, expected = inputs(case, biased=biased, log_states=True)
    flow = WalkedFlow(paths, weights)
    parts = (paths.first, paths.middle, paths.last)
    none = Gone(*(np.zeros(len(part), bool) for part in parts))
    assert_close(np.array(flow.without(none)), np.array(expected), np.float64)
    for share in (0.1, 0.5, 1.0):
        gone = Gone(*(case.rng.random(len(part)) < share for part in parts))
        want = np.array(plain_logit(paths, weights, gone))
        assert_close(np.array(flow.without(gone)), want, np.float64)


def with_background(data):
    """Each family's drugs bind a protein of their own."""
    n, per = data.n_drugs, data.n_drugs // 3
    drug = np.arange(n)
    facts = np.stack([drug, drug * 0, n + drug // per], 1).astype(np.int32)
    nodes = ["P0", "P1", "P2"]
    entities = Vocabulary([*data.drugs.names, *nodes], "entity")
    labels = (*data.names, "Protein 0", "Protein 1", "Protein 2")
    return Background(entities, labels, Vocabulary(["CbG"], "relation"), facts, n)


@pytest.fixture(scope="module", params=["extended", "published"])
def fitted(request):
    data = families()
    small = {"dim": DIM, "epochs": 8, "batch": 16, "lr": 0.01, "threads": 1}
    task = DDITask(data, DDIOptions(setting="S1"), with_background(data))
    return EmerGNN(form=request.param, **small).fit(task)


def test_parts_add_up_to_the_model_s_own_logit(fitted):
    found = fitted.explain("ol4", None, "amine1")
    data = fitted.task_.data
    u, v = data.drug(found.query[0]), data.drug(found.query[2])
    with torch.no_grad():
        pair = np.array([[u, v]], np.int32)
        table = np.log(fitted.predict_proba_leave_pair_out(pair)[0])
    t = data.types.index(found.query[1].removeprefix("type "))
    assert found.score == pytest.approx(table[t] - table.mean(), abs=1e-3)
    assert sum(found.parts.values()) == pytest.approx(found.score)
    calibrated = fitted.calibrated(np.exp(table)[None], pair)[0, t]
    assert found.probability == pytest.approx(float(calibrated), rel=1e-4)


def test_the_paths_are_facts_of_the_graph(fitted):
    found = fitted.explain("Drug ol4", "t1", "Drug amine1")
    assert found.query == ("ol4", "type t1", "amine1")
    assert found.known == "test"
    stored = {tuple(map(str, row)) for row in _stored(fitted)}
    for path in found.paths:
        assert path.steps[0].source == "ol4"
        assert path.steps[-1].target == "amine1"
        for a, b in zip(path.steps, path.steps[1:], strict=False):
            assert a.target == b.source
        for step in path.steps:
            if not step.relation.startswith("alike"):
                assert (step.head, step.relation, step.tail) in stored
    again = Explanation.from_dict(found.to_dict(full=True))
    assert again == found
    for text in (found.text(), found.html(), found.dot()):
        assert "Drug ol4" in text


def _stored(estimator):
    data, background = estimator.task_.data, estimator.task_.background
    for u, t, v in estimator.task_.visible("test").tolist():
        yield data.drugs.name(u), f"type {data.types.name(t)}", data.drugs.name(v)
    for h, r, t in background.triples.tolist():
        yield (
            background.entities.name(h), background.relations.name(r), background.entities.name(t),
        )  # fmt: skip


def test_a_stated_interaction_is_no_reason_for_itself(fitted):
    a, t, b = fitted.task_.data.pairs["train"][0].tolist()
    data = fitted.task_.data
    found = fitted.explain(data.drugs.name(a), data.types.name(t), data.drugs.name(b))
    assert found.known == "train"
    own = {data.drugs.name(a), data.drugs.name(b)}
    for path in found.paths:
        assert not any(
            s.relation.startswith("type") and {s.head, s.tail} == own for s in path.steps
        )
    assert all(data.sentence(a, t, b) != like.text for like in found.analogues)


def test_wrong_questions(fitted):
    with pytest.raises(UsageError, match="with itself"):
        fitted.explain("ol1", None, "ol1")
    with pytest.raises(UnknownRelation):
        fitted.explain("ol1", "t99", "ol2")
    with pytest.raises(InvalidParameter, match="at least 1"):
        fitted.explain("ol1", None, "ol2", n_paths=0)
