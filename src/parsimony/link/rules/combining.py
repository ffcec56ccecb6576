"""How the confidences of the rules that reach the same answer become one score.

Scores are on one scale, s = -log(1 - p): p = 1 - exp(-s) is the probability that the answer is
right. The three ways to combine differ in what they take as independent:

    noisy-or   every rule: s = -Σ log(1 - c)
    clusters   only rules of different clusters: the best of each cluster counts, and a cluster
               holds the rules of a relation that predict much the same pairs
    max        none: the best rule counts; ties are broken by the next best, and so on, and each
               step costs at most a thousandth of the score

To each, weights of rules that were learned may be added: s + Σ v.

Runs of version 0.1 keep their maximum, ``best two``: 0.999 · best + 0.001 · second best
confidence, which is no logarithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rules import Rule

__all__ = [
    "AGGREGATIONS",
    "BEST_TWO",
    "LARGEST",
    "LEAST",
    "Aggregation",
    "Combination",
    "Firings",
    "Plan",
    "combine",
    "combine_best_two",
    "combine_reference",
    "plan_of",
    "weighed",
]

Aggregation = Literal["max", "noisy-or", "clusters"]
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
BEST_TWO: Literal["best two"] = "best two"
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

SURE = 1 - 1e-6  # a confidence of 1 counts as this, else all that it reaches would be ties
LARGEST = float(-np.log(1e-6))  # of a weight: that of a confidence of SURE
LEAST = 1e-3  # of a weight that is fitted; rules of less are left out
TIE = 1e-3  # of a score, that all the steps between ties may cost together


class Combination(NamedTuple):
    """What the rules of a query relation are combined by.

    ``smoothing`` is the wrong pairs added to each rule; ``threshold`` (of clusters) an overlap in
    (0, 1]; ``max_rules`` the most rules used, of those with and those without an entity;
    ``constants`` whether rules about an entity are used; ``penalty`` the λ by which the weights
    were learned that are added, 0 where none are; ``max_atoms`` the longest bodies used.
    """

    aggregation: Aggregation | Literal["best two"] = "noisy-or"
    smoothing: float = 0.0
    threshold: float = 0.0
    max_rules: int | None = None
    constants: bool = True
    penalty: float = 0.0
    max_atoms: int | None = None


class Firings(NamedTuple):
    """What the rules of a relation lead to in one query.

    Rule ``rule[i]`` leads to ``entity[ptr[i]:ptr[i + 1]]``, which are distinct.
    """

    rule: Ints
    ptr: Longs
    entity: Ints


class Plan(NamedTuple):
    """How the rules of a query relation are combined, an entry of each array per rule."""

    order: Ints  # the rules used: by cluster, then weight; by weight for a maximum
    weight: Reals  # -log(1 - confidence)
    cluster: Ints
    lexicographic: bool
    added: Reals = np.zeros(0)  # learned weights, of all rules or of none


def plan_of(
    combination: Combination,
    confidence: Sequence[float] | Reals,
    cluster: Ints | None,
    named: npt.NDArray[np.bool_],
    atoms: Ints,
    added: Reals | None = None,
) -> Plan:
    """Return the plan of a combination.

    Parameters
    ----------
    combination
    confidence : (n_rules,)
        Smoothed.
    cluster : (n_rules,), optional
        Labels of the clusters; needed by ``clusters``.
    named : (n_rules,)
        Which rules are about an entity.
    atoms : (n_rules,)
        How long their bodies are.
    added : (n_rules,), optional
        Weights that were learned.
    """
    sure = np.asarray(confidence, np.float64)
    used = sure > 0
    if not combination.constants:
        used &= ~named
    if combination.max_atoms is not None:
        used &= atoms <= combination.max_atoms
    if combination.max_rules is not None:
        for kind in (named, ~named):
            ranked = np.flatnonzero(kind)[np.argsort(-sure[kind], kind="stable")]
            used[ranked[combination.max_rules :]] = False
    weight = -np.log1p(-np.minimum(sure, SURE))
    label = np.arange(len(sure), dtype=np.int32)
    if combination.aggregation == "clusters":
        assert cluster is not None
        label = np.asarray(cluster, np.int32)
    by = np.lexsort((-weight, label))
    if combination.aggregation in ("max", BEST_TWO):
        by = np.argsort(-weight, kind="stable")
    order = by[used[by]].astype(np.int32)
    more = np.zeros(0) if added is None else added
    return Plan(order, weight, label, combination.aggregation == "max", more)


def weighed(books: Iterable[tuple[Sequence[Rule], Reals]]) -> list[Rule]:
    """Return rules whose noisy-or adds up given weights, most confident first.

    Parameters
    ----------
    books
        The rules of a relation and their weights; rules of less than :data:`LEAST` are left out.
    """
    found = [
        replace(rules[k], confidence=round(-np.expm1(-float(weights[k])), 6))
        for rules, weights in books
        for k in np.flatnonzero(weights > LEAST).tolist()
    ]
    return sorted(found, key=lambda rule: (-rule.confidence, -rule.support, str(rule)))


@kernel
def _compared(ptr, weight, a, b):  # type: ignore[no-untyped-def]
    """Say whether the weights of a, in descending order, are above (1) those of b, or equal (0)."""
    i, j = ptr[a], ptr[b]
    while i < ptr[a + 1] and j < ptr[b + 1]:
        if weight[i] > weight[j]:
            return 1
        if weight[i] < weight[j]:
            return -1
        i += 1
        j += 1
    return int(i < ptr[a + 1]) - int(j < ptr[b + 1])


@kernel
def _sorted(ptr, weight, n):  # type: ignore[no-untyped-def]
    """Sort 0 … n - 1 by their weights, the highest first."""
    order, other = np.arange(n), np.empty(n, np.int64)
    width = 1
    while width < n:
        for low in range(0, n, 2 * width):
            middle, high = min(low + width, n), min(low + 2 * width, n)
            i, j = low, middle
            for k in range(low, high):
                first = i < middle
                if first and j < high:
                    first = _compared(ptr, weight, order[i], order[j]) >= 0
                if first:
                    other[k] = order[i]
                    i += 1
                else:
                    other[k] = order[j]
                    j += 1
        order, other = other, order
        width *= 2
    return order


@kernel
def combine(  # type: ignore[no-untyped-def]
    rule, first, entity, order, weight, cluster, lexicographic, added, total, last, nodes, scores
):
    """Combine what fired into scores.

    IN  rule, first, entity: the Firings; order, weight, cluster, lexicographic, added: the Plan
        total (n_entities,) float64, last (n_entities,) int32: scratch, zeros before and after
    OUT nodes, scores (returned size,)
    """
    fired = np.full(len(weight), -1, np.int64)
    for s in range(len(rule)):
        fired[rule[s]] = s
    n = 0
    if not lexicographic:
        for i in order:
            s = fired[i]
            if s < 0:
                continue
            for at in range(first[s], first[s + 1]):
                v = entity[at]
                if last[v] == 0:
                    nodes[n] = v
                    n += 1
                if last[v] != cluster[i] + 1:
                    total[v] += weight[i]
                    last[v] = cluster[i] + 1
                if len(added):
                    total[v] += added[i]
        for j in range(n):
            v = nodes[j]
            scores[j] = total[v]
            total[v] = 0
            last[v] = 0
        return n
    for i in order:
        s = fired[i]
        if s >= 0:
            for at in range(first[s], first[s + 1]):
                v = entity[at]
                if last[v] == 0:
                    nodes[n] = v
                    n += 1
                    last[v] = n  # its place, from 1
                total[v] += 1
    ptr = np.zeros(n + 1, np.int64)
    for j in range(n):
        ptr[j + 1] = ptr[j] + np.int64(total[nodes[j]])
    filled, at_node = np.empty(ptr[n], np.float64), ptr[:n].copy()
    for i in order:
        s = fired[i]
        if s >= 0:
            for at in range(first[s], first[s + 1]):
                j = last[entity[at]] - 1
                filled[at_node[j]] = weight[i]
                at_node[j] += 1
    for j in range(n):
        total[nodes[j]] = 0
    if len(added):
        for i in order:
            s = fired[i]
            if s >= 0:
                for at in range(first[s], first[s + 1]):
                    total[entity[at]] += added[i]
    by = _sorted(ptr, filled, n)
    low = 0
    step = np.zeros(n, np.int64)
    while low < n:
        best = filled[ptr[by[low]]]
        high = low + 1
        while high < n and filled[ptr[by[high]]] == best:
            lower = _compared(ptr, filled, by[high - 1], by[high]) > 0
            step[high] = step[high - 1] + int(lower)
            high += 1
        following = filled[ptr[by[high]]] if high < n else 0.0
        spread = min(TIE * best, 0.5 * (best - following)) / (step[high - 1] + 1)
        for k in range(low, high):
            scores[by[k]] = best - spread * step[k] + total[nodes[by[k]]]
        low = high
    for j in range(n):
        total[nodes[j]] = 0
        last[nodes[j]] = 0
    return n


def combine_best_two(
    firings: Firings, plan: Plan, n_entities: int
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Combine what fired as runs of version 0.1 do; return nodes and scores."""
    best, second = np.zeros((2, n_entities))
    place = {rule: s for s, rule in enumerate(firings.rule.tolist())}
    for i in plan.order.tolist():
        if i in place:
            s = place[i]
            found = firings.entity[firings.ptr[s] : firings.ptr[s + 1]]
            again = found[(best[found] > 0) & (second[found] == 0)]
            confidence = -np.expm1(-plan.weight[i])
            second[again] = confidence
            new = found[best[found] == 0]
            best[new] = confidence
    nodes = np.flatnonzero(best)
    scores = (1 - TIE) * best[nodes] + TIE * second[nodes]
    return nodes.astype(np.int32), scores.astype(np.float32)


def combine_reference(firings: Firings, plan: Plan) -> dict[int, float]:
    """Combine what fired into the score of each entity, by definition."""
    reached: dict[int, list[int]] = {}
    for i in plan.order.tolist():
        for s in np.flatnonzero(firings.rule == i):
            for v in firings.entity[firings.ptr[s] : firings.ptr[s + 1]].tolist():
                reached.setdefault(v, []).append(i)
    scores: dict[int, float] = {}
    more = {v: sum(float(plan.added[i]) for i in rules) if len(plan.added) else 0.0
            for v, rules in reached.items()}  # fmt: skip
    if not plan.lexicographic:
        for v, rules in reached.items():
            best: dict[int, float] = {}
            for i in rules:
                label = int(plan.cluster[i])
                best[label] = max(best.get(label, 0.0), float(plan.weight[i]))
            scores[v] = sum(best.values()) + more[v]
        return scores
    lists = {v: sorted((float(plan.weight[i]) for i in rules), reverse=True)
             for v, rules in reached.items()}  # fmt: skip
    tops = sorted({each[0] for each in lists.values()}, reverse=True)
    for top, following in zip(tops, [*tops, 0.0][1:], strict=True):
        tied = sorted({tuple(each) for each in lists.values() if each[0] == top}, reverse=True)
        spread = min(TIE * top, (top - following) / 2) / len(tied)
        for v, each in lists.items():
            if each[0] == top:
                scores[v] = top - spread * tied.index(tuple(each)) + more[v]
    return scores
