"""Walks' parts of an interaction's logit, and explanations of pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from tests.kernels.random_multigraphs import assert_close
from tests.pairs.small_pairs import families
from tests.reason.test_pair_flow import DIM, cases, parameters

from parsimony.datasets.background import Background
from parsimony.errors import InvalidParameter, UnknownRelation, UsageError
from parsimony.graph import Vocabulary
from parsimony.knowledge import Explanation
from parsimony.reason.emergnn import EmerGNN
from parsimony.reason.pair_evidence import FlowWeights, Kept, PathDigraph, flow_logit
from parsimony.reason.pair_flow import PairFlow
from parsimony.tasks.ddi import DDIOptions, DDITask

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
def test_deleting_a_step_equals_a_flow_that_never_had_it(case):
    """Deleting all middle edges but idle ones leaves what shorter paths carry."""
    paths, weights, _ = inputs(case, biased=False, log_states=True)
    every = [np.ones(len(part), bool) for part in (paths.first, paths.middle, paths.last)]
    whole, share = flow_logit(paths, weights)
    same, _ = flow_logit(paths, weights, Kept(*every))
    assert same == whole
    none = Kept(every[0], np.zeros(len(paths.middle), bool), every[2])
    assert flow_logit(paths, weights, none)[0] == 0
    assert len(share) == len(paths.walks())


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
    small = {"dim": 16, "epochs": 8, "batch": 16, "lr": 0.01, "threads": 1}
    task = DDITask(data, DDIOptions(setting="S1"), with_background(data))
    return EmerGNN(form=request.param, **small).fit(task)


def test_parts_add_up_to_the_model_s_own_logit(fitted):
    found = fitted.explain("ol4", "amine1")
    data = fitted.task_.data
    u, v = data.drug(found.query[0]), data.drug(found.query[2])
    with torch.no_grad():
        pair = np.array([[u, v]], np.int32)
        table = np.log(fitted.asked_alone(pair)[0])
    t = data.types.index(found.query[1].removeprefix("type "))
    assert found.score == pytest.approx(table[t] - table.mean(), abs=1e-3)
    assert sum(found.parts.values()) == pytest.approx(found.score)
    assert found.probability == pytest.approx(float(np.exp(table[t])), rel=1e-4)


def test_the_paths_are_facts_of_the_graph(fitted):
    found = fitted.explain("Drug ol4", "Drug amine1", "t1")
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
    found = fitted.explain(data.drugs.name(a), data.drugs.name(b), data.types.name(t))
    assert found.known == "train"
    own = {data.drugs.name(a), data.drugs.name(b)}
    for path in found.paths:
        assert not any(
            s.relation.startswith("type") and {s.head, s.tail} == own for s in path.steps
        )
    assert all(data.sentence(a, t, b) != like.text for like in found.likenesses)


def test_wrong_questions(fitted):
    with pytest.raises(UsageError, match="with itself"):
        fitted.explain("ol1", "ol1")
    with pytest.raises(UnknownRelation):
        fitted.explain("ol1", "ol2", "t99")
    with pytest.raises(InvalidParameter, match="at least 1"):
        fitted.explain("ol1", "ol2", n_paths=0)
