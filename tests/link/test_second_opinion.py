"""Kinds of paths beside a null model: counted right, dealt fairly, p-values that are uniform."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from parsimony.graph import KnowledgeGraph
from parsimony.link import second_opinion
from parsimony.link.question import Question
from parsimony.link.second_opinion import SecondOpinion


def slow_kinds(triples, question, n, longest=3):
    """Count paths by kind, walk by walk; neither end is walked through."""
    edges = {(h, r, t) for h, r, t in triples} | {(t, r + n, h) for h, r, t in triples}
    counts, u, v = Counter(), question.entity, question.answer
    walks = [((), u)]
    for _ in range(longest):
        walks = [((*steps, r), t) for steps, at in walks for h, r, t in edges if h == at and t != u]
        counts.update(steps for steps, at in walks if at == v and steps != (question.relation,))
        walks = [(steps, at) for steps, at in walks if at != v]
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_paths_are_counted_by_kind(seed):
    draw = np.random.default_rng(seed)
    triples = np.unique(
        np.stack([draw.integers(0, 9, 40), draw.integers(0, 3, 40), draw.integers(0, 9, 40)], 1),
        axis=0,
    )
    triples = np.concatenate([triples, triples[:2]])  # twice is once
    graph = KnowledgeGraph(triples, 9, 3)
    for fact in triples[:4].tolist():
        for side in ("head", "tail"):
            question = Question.of(tuple(fact), side, 3)
            if question.entity == question.answer:
                continue
            found = SecondOpinion(graph).on(question, draws=3)
            rows = {tuple(row) for row in triples.tolist()}
            assert {k.steps: k.paths for k in found.kinds} == slow_kinds(rows, question, 3)
            assert found.tested >= len(found.kinds)


def test_facts_are_dealt_evenly_and_degrees_kept():
    """Every graph of these degrees comes up equally often: 4 sources, 4 targets, no loop."""
    rows = [[1, 2], [0, 3], [0, 1], [2]]
    ptr = np.cumsum([0, *map(len, rows)])
    target, source = np.concatenate(rows), np.arange(4)
    degrees = np.bincount(target, minlength=4)
    choices = [
        [c for c in itertools.combinations(range(4), len(row)) if i not in c]
        for i, row in enumerate(rows)
    ]
    every = {
        graph
        for graph in itertools.product(*choices)
        if np.array_equal(np.bincount(np.concatenate(graph), minlength=4), degrees)
    }
    seen, stamp, tick = Counter(), np.zeros(4, np.int64), 1
    draw, pool, where = np.random.default_rng(0), np.empty(8, np.int64), np.empty(8, np.int64)
    for i in range(6000):
        for _ in range(6):
            a, b = draw.choice(4, 2, replace=False).tolist()
            second_opinion._trade(source, ptr, target, a, b, False, stamp, tick, pool, where)
            tick += 2
        if i % 2:
            seen[
                tuple(tuple(sorted(target[s:e].tolist())) for s, e in itertools.pairwise(ptr))
            ] += 1
    assert seen.keys() == every and len(every) > 3
    assert stats.chisquare(list(seen.values())).pvalue > 1e-3


def two_sided(draw, n=30):
    """Facts (a, 0, x) and (b, 1, x), each by itself, more probable where both are popular.

    Given how many facts each has, all such graphs are equally probable: the null model.
    """
    odds = [np.exp(draw.normal(0, 1, n)) for _ in range(4)]
    facts = []
    for r, (left, right) in enumerate((odds[:2], odds[2:])):
        each = 0.2 * np.outer(left, right)
        h, t = np.nonzero(draw.random((n, n)) < each / (1 + each))
        facts.append(np.stack([h + r * n, np.full(len(h), r), t + 2 * n], 1))
    return np.concatenate(facts)


def kind_of(graph, u, v, draws):
    """The kind 0 → 1⁻¹ between two: observed and drawn, whether there is a path or not."""
    asked = SecondOpinion(graph)
    rests, _ = asked._rests(Question(u, 2, v), 2)
    rows = asked._of_step(0)
    own = int(np.searchsorted(rows.source, u))
    _, observed, drawn = second_opinion.null_counts(
        rows, own, rests.those(rests.code == 5 * asked._base), graph.n_entities, draws,
        seed=u * 1000 + v,
    )  # fmt: skip
    return observed[0], drawn[:, 0]


def test_p_values_are_uniform_where_the_null_model_holds():
    """Ties are broken by lot."""
    draw, found, plain = np.random.default_rng(7), [], []
    n = 30
    for _ in range(400):
        graph = KnowledgeGraph(two_sided(draw, n), 3 * n, 3)
        # of many paths, so that few are ties
        u, v = (
            int(np.bincount(graph.triples[graph.triples[:, 1] == r, 0]).argmax()) for r in (0, 1)
        )
        observed, drawn = kind_of(graph, u, v, 99)
        above, same = (drawn > observed).sum(), (drawn == observed).sum()
        found.append((above + draw.random() * (same + 1)) / 100)
        plain.append((1 + above + same) / 100)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    for level in (0.05, 0.2, 0.5):  # what is reported is never too small
        limit = stats.binom.ppf(0.999, len(plain), level) / len(plain)
        assert np.mean(np.array(plain) <= level) <= limit


def test_what_was_planted_is_found_and_what_degrees_explain_is_not():
    draw, n = np.random.default_rng(3), 60
    facts = two_sided(draw, n)
    hubs = [[a + n * r, r, 2 * n + x] for r in (0, 1) for a in range(n) for x in range(5)]
    u, v = 3, n + 4
    extra = [[u, 2, 3 * n + i] for i in range(6)] + [[v, 2, 3 * n + i] for i in range(6)]
    others = [[a, 2, 3 * n + int(x)] for a in range(2 * n) for x in draw.integers(6, 90, 3)]
    triples = np.unique(np.concatenate([facts, hubs, extra, others]), axis=0)
    graph = KnowledgeGraph(triples, 3 * n + 90, 3)
    found = {k.steps: k for k in SecondOpinion(graph).on(Question(u, 0, v)).kinds}
    planted, popular = found[2, 5], found[0, 4]
    assert planted.paths >= 6 and planted.q < 0.01 and planted.expected < 1
    assert popular.paths >= 5 and popular.p > 0.05 and popular.expected > 4
    again = {k.steps: k for k in SecondOpinion(graph).on(Question(u, 0, v)).kinds}
    assert again == found  # the seed is the same


def test_a_fact_is_no_reason_for_itself():
    graph = KnowledgeGraph(np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1]]), 2, 2)
    for fact in ((0, 0, 0), (0, 0, 1)):
        for side in ("head", "tail"):
            kinds = SecondOpinion(graph).on(Question.of(fact, side, 2), draws=3).kinds
            assert all(kind.steps not in ((0,), (2,)) for kind in kinds)


def test_kinds_without_a_path_count_as_tested():
    triples = np.array([[0, 0, 1], [1, 0, 2], [3, 0, 2], [4, 1, 2], [3, 0, 5], [6, 0, 4]])
    found = SecondOpinion(KnowledgeGraph(triples, 7, 2)).on(Question(0, 1, 2), draws=99)
    assert [k.steps for k in found.kinds] == [(0, 0)] and found.tested > 1
    assert found.kinds[0].q == pytest.approx(min(1.0, found.kinds[0].p * found.tested))
