"""The sub-digraph behind one answer, and the model run on parts of it.

Of the walks that a query's propagation follows, only those that end in the answer at the last
layer can matter to its score: the backward cone G_{u,v|L} (the r-digraph of RED-GNN). Running the
model on the cone alone gives the same score; running it with edges removed tells what they
contributed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from parsimony.kernels.redgnn.frontier import Frontier
from parsimony.kernels.redgnn.relative import relative_relations_reference
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.propagation_torch import (
    ACTIVATIONS,
    LayerTrace,
    gru_cell,
    plain_forward,
)
from parsimony.link.reasoning.walkable import Walkable
from parsimony.run.steps import step_done

IntArray = npt.NDArray[np.int32]
Walk = tuple[tuple[int, int, int], ...]  # steps (source, relation, target)


@dataclass(frozen=True)
class ConeLayer:
    """Edges of one step: (source, relation, target) entities and their attention α."""

    source: IntArray
    relation: IntArray
    target: IntArray
    alpha: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cone:
    """The relational digraph between a query's entity and one answer."""

    head: int
    relation: int
    tail: int
    score: float
    reached: bool
    layers: tuple[ConeLayer, ...]


def _entity_of_row(frontier: Frontier, n_rows: int) -> IntArray:
    entity = np.full(n_rows, -1, np.int32)
    entity[frontier.row] = frontier.node
    return entity


def backward_cone(
    walkable: Walkable,
    n_entities: int,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    head: int,
    relation: int,
    tail: int,
    active: npt.NDArray[np.uint8],
) -> Cone:
    """Propagate one query and keep what can reach ``tail`` at the last layer.

    An answer that is not reached scores 0 and has an empty cone.
    """
    trace: list[LayerTrace] = []
    heads = np.array([head], np.int32)
    with torch.no_grad():
        frontier, scores = plain_forward(
            walkable, n_entities, architecture, weights, heads,
            np.array([relation], np.int32), active, trace=trace,
        )  # fmt: skip
    found = np.flatnonzero(frontier.node == tail)
    if not len(found):
        return Cone(head, relation, tail, 0.0, False, ())
    score = float(scores[int(frontier.row[found[0]])])
    before = heads
    steps = []
    for layer in trace:
        step = layer.step
        n_rows = len(step.indptr) - 1
        target = np.repeat(np.arange(n_rows), np.diff(step.indptr))
        after = _entity_of_row(step.frontier, n_rows)
        steps.append((before[step.source], step.relation, after[target], layer.alpha))
        kept = n_rows if layer.kept_rows is None else len(layer.kept_rows)
        before = _entity_of_row(layer.frontier, kept)
    needed = np.zeros(n_entities, bool)
    needed[tail] = True
    layers = []
    for source, relations, target, alpha in reversed(steps):
        inside = needed[target]
        layers.append(ConeLayer(source[inside], relations[inside], target[inside], alpha[inside]))
        needed = np.zeros(n_entities, bool)
        needed[source[inside]] = True
    return Cone(head, relation, tail, score, True, tuple(reversed(layers)))


def cone_scores(
    cone: Cone,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    keep: list[npt.NDArray[np.bool_]],
) -> npt.NDArray[np.float64]:
    """Scores of the answer with parts of the cone removed.

    Parameters
    ----------
    keep
        One (n_variants, n_edges) mask per layer.

    Returns
    -------
    array (n_variants,)
        An answer that is no longer reached scores 0.
    """
    with torch.no_grad():
        scores = _run(cone, architecture, weights, [torch.from_numpy(mask) for mask in keep])
    result: npt.NDArray[np.float64] = scores.double().numpy()
    return result


def contributions(
    cone: Cone, architecture: Architecture, weights: Mapping[str, Tensor]
) -> list[npt.NDArray[np.float64]]:
    """What every edge adds to the score, to first order: ∂score/∂g of a factor g = 1 on its α.

    One backward pass over the cone; no edge is deleted.
    """
    dtype = weights["readout.w"].dtype
    sizes = [len(edges.source) for edges in cone.layers]
    everything = [torch.ones(1, size, dtype=torch.bool) for size in sizes]
    gates = [torch.ones(size, dtype=dtype, requires_grad=True) for size in sizes]
    score = _run(cone, architecture, weights, everything, gates)[0]
    gradients = torch.autograd.grad(score, gates, allow_unused=True)
    return [
        np.zeros(len(gate)) if found is None else found.double().numpy()
        for gate, found in zip(gates, gradients, strict=True)
    ]


def _run(
    cone: Cone,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    keep: list[Tensor],
    gates: list[Tensor] | None = None,
) -> Tensor:
    """The answer's score in (n_variants,) variants of the cone; ``gates`` scale every α."""
    nodes = np.unique(
        np.concatenate([[cone.head], *[np.concatenate([c.source, c.target]) for c in cone.layers]])
    )
    variants = len(keep[0])
    dtype = weights["readout.w"].dtype
    q = cone.relation
    hidden = torch.zeros(variants, len(nodes), architecture.dim, dtype=dtype)
    reached = torch.zeros(variants, len(nodes), dtype=torch.bool)
    reached[:, np.searchsorted(nodes, cone.head)] = True
    at = int(np.searchsorted(nodes, cone.tail))
    total = torch.zeros(variants, dtype=dtype)
    for number, edges in enumerate(cone.layers):
        step_done()
        w = {
            name.split(".")[1]: value
            for name, value in weights.items()
            if name.startswith(f"layer{number}.")
        }
        source = torch.from_numpy(np.searchsorted(nodes, edges.source))
        target = torch.from_numpy(np.searchsorted(nodes, edges.target))
        seen = edges.relation
        if architecture.relative:
            seen = relative_relations_reference(seen, q, architecture.n_relations)
        relation = torch.from_numpy(seen.astype(np.int64))
        embedding = w["relation"]
        alive = keep[number] & reached[:, source]
        of_query = F.linear(embedding[q], w["W_q"], w["b_q"])
        a = F.linear(hidden, w["W_s"])[:, source] + of_query
        logit = torch.relu(a + F.linear(embedding, w["W_r"])[relation]) @ w["w_alpha"]
        alpha = torch.sigmoid(logit + w["b_alpha"]) * alive
        if gates is not None:
            alpha = alpha * gates[number]
        message = alpha[..., None] * (hidden[:, source] + embedding[relation])
        m = torch.zeros_like(hidden).index_add(1, target, message)
        x = ACTIVATIONS[architecture.activation](F.linear(m, w["W_h"]))
        now = torch.zeros(variants, len(nodes), dtype=torch.long)
        now = now.index_add_(1, target, alive.long()) > 0
        state = gru_cell(x.flatten(0, 1), hidden.flatten(0, 1), weights).view_as(hidden)
        hidden = torch.where(now[..., None], state, torch.zeros_like(state))
        reached = now
        scores = hidden[:, at] @ weights["readout.w"]  # 0 where it is not reached
        if architecture.mix_depths:
            scores = torch.softmax(weights["readout.depth"][q], 0)[number] * scores
            scores = total = total + scores
    return torch.where(reached[:, at], scores, torch.zeros_like(scores))


def strongest_edges(cone: Cone, most: int = 256) -> list[ConeLayer]:
    """The ``most`` edges of every layer on the walks of largest attention product.

    An edge counts with the best walk through it: best way in × α × best way out (max-product
    forwards and backwards). All walks better than the weakest edge kept are still there.
    """
    if not cone.layers:
        return []
    names = [np.concatenate([layer.source, layer.target]) for layer in cone.layers]
    nodes = np.unique(np.concatenate([[cone.head, cone.tail], *names]))
    ends = [
        (np.searchsorted(nodes, layer.source), np.searchsorted(nodes, layer.target))
        for layer in cone.layers
    ]
    into, out_of = np.zeros(len(nodes)), np.zeros(len(nodes))
    into[np.searchsorted(nodes, cone.head)] = 1
    out_of[np.searchsorted(nodes, cone.tail)] = 1
    ways_in, ways_out = [], []
    for (source, target), layer in zip(ends, cone.layers, strict=True):
        ways_in.append(into[source])
        after = np.zeros_like(into)
        np.maximum.at(after, target, into[source] * layer.alpha)
        into = after
    for (source, target), layer in zip(reversed(ends), reversed(cone.layers), strict=True):
        ways_out.append(out_of[target])
        before = np.zeros_like(out_of)
        np.maximum.at(before, source, out_of[target] * layer.alpha)
        out_of = before
    kept = []
    for layer, way_in, way_out in zip(cone.layers, ways_in, reversed(ways_out), strict=True):
        best = np.sort(np.argsort(-way_in * layer.alpha * way_out, kind="stable")[:most])
        kept.append(
            ConeLayer(
                layer.source[best], layer.relation[best], layer.target[best], layer.alpha[best]
            )
        )
    return kept


def best_walks(
    cone: Cone, n_relations: int, n_paths: int, *, beam: int = 24
) -> list[tuple[float, Walk]]:
    """The walks from head to answer with the largest product of attention.

    Dynamic programming over the layers, keeping the ``beam`` best prefixes a node, along the
    :func:`strongest_edges`. Identity steps wait where they are; walks that differ only in where
    they wait are one path, which counts with its best alignment.

    Returns
    -------
    list of (weight, steps)
        Steps (source, relation, target), relation r + R walking against a fact.
    """
    identity = 2 * n_relations
    Prefix = dict[Walk, float]
    best: dict[int, Prefix] = {cone.head: {(): 1.0}}
    for edges in strongest_edges(cone):
        step_done()
        after: dict[int, Prefix] = {}
        for s, r, o, alpha in zip(
            edges.source.tolist(), edges.relation.tolist(), edges.target.tolist(),
            edges.alpha.tolist(), strict=True,
        ):  # fmt: skip
            into = after.setdefault(o, {})
            for steps, weight in best.get(s, {}).items():
                walk = steps if r == identity else (*steps, (s, r, o))
                into[walk] = max(into.get(walk, 0.0), weight * alpha)
        best = {
            node: dict(sorted(walks.items(), key=lambda item: -item[1])[:beam])
            for node, walks in after.items()
        }
    walks = [(weight, steps) for steps, weight in best.get(cone.tail, {}).items() if steps]
    return sorted(walks, key=lambda item: -item[0])[:n_paths]


def facts_mask(
    cone: Cone, n_relations: int, facts: set[tuple[int, int, int]]
) -> list[npt.NDArray[np.bool_]]:
    """Per layer, which edges use one of ``facts`` (head, relation, tail), in either direction."""
    masks = []
    for edges in cone.layers:
        inverse = edges.relation >= n_relations
        head = np.where(inverse, edges.target, edges.source)
        tail = np.where(inverse, edges.source, edges.target)
        relation = np.where(inverse, edges.relation - n_relations, edges.relation)
        keys = zip(head.tolist(), relation.tolist(), tail.tolist(), strict=True)
        masks.append(np.array([key in facts for key in keys], dtype=bool))
    return masks


def as_fact(step: tuple[int, int, int], n_relations: int) -> tuple[int, int, int]:
    """The stored fact (head, relation, tail) that a step walks along or against."""
    s, r, o = step
    return (o, r - n_relations, s) if r >= n_relations else (s, r, o)


def choose_walks(
    cone: Cone,
    contribution: list[npt.NDArray[np.float64]],
    n_relations: int,
    candidates: list[tuple[float, Walk]],
    n_paths: int,
) -> list[tuple[float, Walk]]:
    """Of the walks with the largest attention, those whose facts add most to the score.

    Attention gates α are near each other in many models, so the largest product alone names one
    of many interchangeable walks. Greedily: the walk whose facts, beside those of the walks chosen
    before, have the largest sum of :func:`contributions`, over both directions and all layers. That
    sum is the weight that is returned with it.
    """
    masks = [
        np.concatenate(facts_mask(cone, n_relations, {as_fact(step, n_relations) for step in walk}))
        for _, walk in candidates
    ]
    left = np.concatenate(contribution)
    chosen: dict[int, float] = {}
    while len(chosen) < min(n_paths, len(candidates)):
        adds = {i: float(left[mask].sum()) for i, mask in enumerate(masks) if i not in chosen}
        best = max(adds, key=adds.__getitem__)
        chosen[best] = adds[best]
        left = np.where(masks[best], 0.0, left)
    return [(weight, candidates[i][1]) for i, weight in chosen.items()]


def deletion_drop(
    cone: Cone,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    n_relations: int,
    facts: set[tuple[int, int, int]],
    *,
    draws: int,
    generator: np.random.Generator,
) -> tuple[float, float, int]:
    """Score drop without the named facts, against as many random edges of the same layers.

    Returns
    -------
    deleted_drop, random_drop, n_deleted
        The drop without the evidence, the mean drop over the draws, the number of edges.
    """
    identity = 2 * n_relations
    named = facts_mask(cone, n_relations, facts)
    keep = []
    for edges, mask in zip(cone.layers, named, strict=True):
        variants = np.ones((2 + draws, len(mask)), bool)
        variants[1] = ~mask
        choices = np.flatnonzero(edges.relation != identity)
        for draw in range(draws):
            variants[2 + draw, generator.choice(choices, int(mask.sum()), replace=False)] = False
        keep.append(variants)
    scores = cone_scores(cone, architecture, weights, keep)
    return (
        float(scores[0] - scores[1]),
        float((scores[0] - scores[2:]).mean()),
        int(sum(mask.sum() for mask in named)),
    )


def as_tensors(weights: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """Weights as torch tensors that share their memory."""
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in weights.items()}
