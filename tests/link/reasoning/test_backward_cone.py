"""Explanations: the cone gives the model's score, walks are walks, deletions are counted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from parsimony import datasets
from parsimony.errors import InvalidParameter, UnknownEntity
from parsimony.explain import Explanation
from parsimony.link.reasoning.adaprop import AdaProp
from parsimony.link.reasoning.backward_cone import (
    Cone,
    _run,
    as_fact,
    as_tensors,
    backward_cone,
    best_walks,
    choose_walks,
    cone_scores,
    contributions,
    facts_mask,
    strongest_edges,
)
from parsimony.link.reasoning.redgnn import RedGNN
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.task import LinkTask


@pytest.fixture(
    scope="module",
    params=[
        (RedGNN, {}),
        (AdaProp, {"top_k": 40, "relative": True}),
        (AdaProp, {"top_k": 40, "mix_depths": True}),
    ],
)
def fitted(request):
    task = LinkTask(datasets.load("royal"))
    method, extra = request.param
    return method(
        dim=16, attention_dim=5, n_layers=3, epochs=1, threads=1, seed=1, lr=0.01,
        popularity=0, **extra
    ).fit(task)


def some_facts(estimator, n=6):
    data = estimator.task_.data
    return [tuple(int(x) for x in row) for row in data.test[:: len(data.test) // n]][:n]


def cones(estimator):
    graph = estimator.task_.test_graph
    for h, r, t in some_facts(estimator):
        yield backward_cone(
            Walkable(graph.digraph), graph.n_entities, estimator.architecture_,
            as_tensors(estimator.weights_), h, r, t, np.ones(len(graph), np.uint8),
        )  # fmt: skip


def test_the_whole_cone_gives_the_models_score(fitted):
    for cone in cones(fitted):
        expected = fitted.scores(np.array([[cone.head, cone.relation]]))[0, cone.tail]
        assert cone.score == pytest.approx(expected, rel=1e-4, abs=1e-5)
        if cone.reached:
            keep = [np.ones((1, len(layer.source)), bool) for layer in cone.layers]
            alone = cone_scores(cone, fitted.architecture_, as_tensors(fitted.weights_), keep)
            assert alone[0] == pytest.approx(cone.score, rel=1e-4, abs=1e-5)


def test_without_any_edge_the_answer_is_not_reached(fitted):
    cone = next(cone for cone in cones(fitted) if cone.reached and cone.head != cone.tail)
    keep = [np.zeros((1, len(layer.source)), bool) for layer in cone.layers]
    assert cone_scores(cone, fitted.architecture_, as_tensors(fitted.weights_), keep)[0] == 0


def test_walks_follow_facts_from_the_head_to_the_answer(fitted):
    n_relations = fitted.task_.n_relations
    facts = {tuple(row) for row in fitted.task_.test_graph.triples.tolist()}
    for cone in cones(fitted):
        walks = best_walks(cone, n_relations, 10)
        assert [w for w, _ in walks] == sorted((w for w, _ in walks), reverse=True)
        assert len({steps for _, steps in walks}) == len(walks)
        for weight, steps in walks:
            assert 0 < weight <= 1
            assert steps[0][0] == cone.head and steps[-1][2] == cone.tail
            assert all(a[2] == b[0] for a, b in pairwise(steps))
            assert {as_fact(step, n_relations) for step in steps} <= facts


def test_the_best_walk_is_the_best_by_enumeration(fitted):
    n_relations = fitted.task_.n_relations
    cone = min(
        (c for c in cones(fitted) if c.reached), key=lambda c: sum(len(x.source) for x in c.layers)
    )
    best: dict[int, float] = {cone.head: 1.0}
    for layer in cone.layers:
        after: dict[int, float] = {}
        for s, o, a in zip(layer.source, layer.target, layer.alpha, strict=True):
            after[int(o)] = max(after.get(int(o), 0.0), best[int(s)] * float(a))
        best = after
    assert best_walks(cone, n_relations, 1)[0][0] == pytest.approx(best[cone.tail])


def test_strongest_edges_keep_every_walk_better_than_the_weakest(fitted):
    n_relations = fitted.task_.n_relations
    for cone in (c for c in cones(fitted) if c.reached):
        whole = strongest_edges(cone, 10**6)
        for layer, all_edges in zip(whole, cone.layers, strict=True):
            assert len(layer.source) == len(all_edges.source)
        few = strongest_edges(cone, 20)
        assert all(len(layer.source) <= 20 for layer in few)
        best = best_walks(cone, n_relations, 1)[0][0]
        pruned = Cone(cone.head, cone.relation, cone.tail, 0.0, True, tuple(few))
        assert best_walks(pruned, n_relations, 1)[0][0] == pytest.approx(best)


def test_contributions_are_the_slope_of_the_score(fitted):
    """Against finite differences: a little less of one edge's attention."""
    weights = {k: v.double() for k, v in as_tensors(fitted.weights_).items()}
    cone = next(cone for cone in cones(fitted) if cone.reached and cone.head != cone.tail)
    found = contributions(cone, fitted.architecture_, weights)
    keep = [torch.ones(1, len(layer.source), dtype=torch.bool) for layer in cone.layers]
    step = 1e-6
    for layer in range(len(cone.layers)):
        for edge in range(0, len(found[layer]), max(1, len(found[layer]) // 3)):
            ends = []
            for sign in (1, -1):
                gates = [torch.ones(len(c.source), dtype=torch.float64) for c in cone.layers]
                gates[layer][edge] += sign * step
                ends.append(float(_run(cone, fitted.architecture_, weights, keep, gates)[0]))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert found[layer][edge] == pytest.approx(slope, abs=1e-5, rel=1e-4)


def test_chosen_walks_add_most(fitted):
    n_relations = fitted.task_.n_relations
    for cone in (c for c in cones(fitted) if c.reached):
        walks = best_walks(cone, n_relations, 20)
        share = contributions(cone, fitted.architecture_, as_tensors(fitted.weights_))
        chosen = choose_walks(cone, share, n_relations, walks, 3)
        assert len(chosen) == min(3, len(walks)) and {c[1] for c in chosen} <= {w[1] for w in walks}

        def total(walk, share=share, cone=cone):
            facts = {as_fact(step, n_relations) for step in walk[1]}
            masks = facts_mask(cone, n_relations, facts)
            return sum(float(c[m].sum()) for c, m in zip(share, masks, strict=True))

        if walks:
            assert total(chosen[0]) == pytest.approx(max(map(total, walks)))
            assert chosen[0][0] == pytest.approx(total(chosen[0]))  # the weight it is ordered by


def test_evidence_can_be_chosen_by_attention_alone(fitted):
    data = fitted.task_.test_data
    h, r, t = some_facts(fitted)[0]
    names = data.entities.name(h), data.relations.name(r), data.entities.name(t)
    found = fitted.explain(*names, choose="attention")
    weights = [path.weight for path in found.paths]
    assert weights == sorted(weights, reverse=True)
    assert "attention" in found.text()
    assert Explanation.from_dict(found.to_dict(full=True)) == found


def test_masks_name_both_directions_of_a_fact(fitted):
    n_relations = fitted.task_.n_relations
    cone = next(c for c in cones(fitted) if c.reached)
    _, steps = best_walks(cone, n_relations, 1)[0]
    masks = facts_mask(cone, n_relations, {as_fact(step, n_relations) for step in steps})
    assert sum(int(mask.sum()) for mask in masks) >= len(steps)


def test_explanation_names_what_it_found(fitted):
    data = fitted.task_.data
    h, r, t = some_facts(fitted)[0]
    names = (data.entities.name(h), data.relations.name(r), data.entities.name(t))
    explanation = fitted.explain(*names, n_paths=3, draws=5)
    assert explanation.query == names
    assert explanation.known == "test"
    assert 0 <= explanation.probability <= 1
    assert 1 <= len(explanation.paths) <= 3
    assert explanation.faithfulness.draws == 5
    again = fitted.explain(*names, n_paths=3, draws=5)
    assert again.to_json() == explanation.to_json()
    with pytest.raises(UnknownEntity, match="did you mean"):
        fitted.explain(names[0][:-1], names[1], names[2])
    with pytest.raises(InvalidParameter):
        fitted.explain(*names, n_paths=0)


def test_rules_read_out_are_counted_on_the_graph(fitted):
    rules = fitted.knowledge(top=30)
    assert rules and len(rules) <= 30
    assert all(rule.support >= 2 and rule.body_count >= rule.support for rule in rules)
    assert len({str(rule.canonical()) for rule in rules}) == len(rules)


def test_a_known_fact_is_scored_without_itself(fitted):
    """Score, paths and cone speak of the same graph."""
    graph, data = fitted.task_.test_graph, fitted.task_.data
    h, r, t = data.train[5].tolist()
    active = (graph.triples != data.train[5]).any(axis=1).astype(np.uint8)
    cone = backward_cone(
        Walkable(graph.digraph), graph.n_entities, fitted.architecture_,
        as_tensors(fitted.weights_), h, r, t, active,
    )  # fmt: skip
    names = (data.entities.name(h), data.relations.name(r), data.entities.name(t))
    explanation = fitted.explain(*names, draws=1)
    assert explanation.known == "train"
    assert explanation.score == pytest.approx(cone.score, rel=1e-4, abs=1e-5)
    assert explanation.score != pytest.approx(fitted.scores(np.array([[h, r]]))[0, t], rel=1e-4)


def test_an_unknown_way_to_choose_paths_is_refused(fitted):
    data = fitted.task_.data
    h, r, t = data.test[0].tolist()
    names = (data.entities.name(h), data.relations.name(r), data.entities.name(t))
    with pytest.raises(InvalidParameter, match="no way to choose") as caught:
        fitted.explain(*names, choose="attenton")
    assert "attention" in caught.value.remedy
