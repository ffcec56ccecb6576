"""Pairs answered without their own interactions, all at once: as each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ddi.small_pairs import families

from parsimony.ddi.analogues import nearest_analogues
from parsimony.ddi.baselines.neighbour_scores import neighbour_scores, similarity
from parsimony.ddi.leave_pair_out import leave_pair_out
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.methods import resolve

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

QUICK = {
    "prior": {}, "neighbours": {"power": 4.0, "smoothing": 1e-3}, "mlp": {"epochs": 1},
    "emergnn": {"epochs": 1, "dim": 8, "threads": 1, "neighbour_edges": 3},
}  # fmt: skip


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
@pytest.mark.parametrize("method", [*QUICK, "published"])
def test_many_pairs_are_answered_as_each_alone(method, setting):
    values = QUICK.get(method) or QUICK["emergnn"] | {"form": "published"}
    cls = resolve("emergnn" if method == "published" else method)
    task = DDITask(families(), DDIOptions(setting=setting))
    fitted = cls(**values if method != "prior" else {}).fit(task)
    facts = task.visible("test")
    known = facts[:4, [0, 2]]
    rng = np.random.default_rng(0)
    pairs = np.concatenate([known, known[:, ::-1], rng.integers(0, 30, (30, 2))])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]].astype(np.int32)
    together = fitted.predict_proba_leave_pair_out(pairs)
    for pair, row in zip(pairs, together, strict=True):
        own = np.isin(facts[:, [0, 2]], pair).all(1)
        alone = fitted._probabilities(pair[None], facts[~own])[0]
        np.testing.assert_allclose(row, alone, atol=2e-6)


def test_leaving_a_pair_out_counts_what_is_left():
    facts = np.array([[0, 1, 1], [1, 0, 0], [0, 1, 2], [3, 1, 0], [4, 0, 5]], np.int32)
    found = leave_pair_out(facts, np.array([[0, 1], [1, 0], [4, 5], [2, 5]], np.int32), 6, 2)
    assert found.own.tolist() == [2, 2, 1, 0]
    assert found.new.tolist() == [[False, True], [True, False], [True, True], [False, False]]
    expected = np.array([[1, 2], [1, 2], [1, 3], [2, 3]]) + 0.5
    np.testing.assert_allclose(found.frequencies, expected / expected.sum(1, keepdims=True))


def test_neighbour_scores_are_sums_over_similar_drugs():
    """More pairs of a drug than are looked up one by one, new and known ones."""
    rng = np.random.default_rng(0)
    n, n_types = 90, 3
    similar = similarity(rng.integers(0, 2, (n, 40)).astype(np.uint8), 2.0)
    facts = np.stack(
        [rng.integers(0, n, 300), rng.integers(0, n_types, 300), rng.integers(0, n, 300)], 1
    ).astype(np.int32)
    facts = facts[facts[:, 0] != facts[:, 2]]
    others = np.arange(1, n, dtype=np.int32)
    pairs = np.stack([others * 0, others], 1)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])[rng.permutation(2 * n - 2)]
    for one, two in ((True, True), (True, False), (False, False)):
        first = np.where(pairs[:, 0] == 0, one, two)
        second = np.where(pairs[:, 1] == 0, one, two)
        scores = neighbour_scores(similar, facts, pairs, n_types, first=first, second=second)
        for (a, b), x, y, found in zip(pairs, first, second, scores, strict=True):
            expected = np.zeros(n_types)
            for u, t, v in facts:
                if x and y:
                    value = similar[a, u] * similar[b, v] * (u != b and v != a)
                else:
                    turn = not (x or y)
                    value = similar[a, u] * (v == b) * (x or turn)
                    value += similar[b, v] * (u == a) * (y or turn)
                expected[t] += value
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_most_alike_is_never_the_pair_itself():
    bits = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]], np.uint8)
    facts = np.array([[0, 0, 3], [3, 0, 0], [2, 0, 3], [1, 0, 3], [2, 1, 3]], np.int32)
    found = nearest_analogues(bits, facts, 0, 0, 3, most=5)
    assert [(x.drug1, x.similarity) for x in found] == [(2, 1.0), (1, 0.5)]
