"""One file into three splits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.graph import split_triples
from parsimony.graph.splits import held_out


def random_triples(seed, n=400, n_entities=30, n_relations=4):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(0, m, n) for m in (n_entities, n_relations, n_entities)]
    return np.stack(columns, axis=1).astype(np.int32)


@given(st.integers(0, 2**32), st.integers(0, 5))
def test_a_partition_that_keeps_every_name_in_train(seed, data_seed):
    triples = random_triples(data_seed)
    train, valid, test = split_triples(triples, seed)
    assert (len(train), len(valid), len(test)) == (320, 40, 40)
    together = np.concatenate([train, valid, test])
    assert sorted(map(tuple, together)) == sorted(map(tuple, triples))
    assert set(train[:, [0, 2]].ravel()) == set(triples[:, [0, 2]].ravel())
    assert set(train[:, 1]) == set(triples[:, 1])


@given(st.integers(0, 2**32), st.integers(0, 3), st.integers(2, 300), st.integers(1, 60))
def test_by_its_definition(seed, data_seed, n_entities, most):
    """A fact can be held out if its names came before, in random order; the first such are."""
    triples = random_triples(data_seed, 300, n_entities)
    order = np.arange(300, dtype=np.int32)
    np.random.default_rng(seed).shuffle(order)
    seen, free = set(), []
    for i, (h, r, t) in zip(order.tolist(), triples[order].tolist(), strict=True):
        if {("e", h), ("r", r), ("e", t)} <= seen:
            free.append(i)
        seen |= {("e", h), ("r", r), ("e", t)}
    n = min(most, 30, len(free) // 2)
    if n == 0:
        with pytest.raises(EmptySplit):
            held_out(triples, np.arange(300, dtype=np.int32), seed, most=most)
        return
    valid, test = held_out(triples, np.arange(300, dtype=np.int32), seed, most=most)
    assert valid.tolist() == free[:n]
    assert test.tolist() == free[n : 2 * n]


def test_the_seed_decides():
    triples = random_triples(0)
    same = [split_triples(triples, 3)[2] for _ in range(2)]
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], split_triples(triples, 4)[2])


def test_few_free_facts_are_shared_in_proportion():
    chain = np.array([[i, 0, i + 1] for i in range(20)], dtype=np.int32)
    extra = np.array([[0, 0, i] for i in (5, 9)], dtype=np.int32)
    train, valid, test = split_triples(np.concatenate([chain, extra]), 0)
    assert len(valid) == len(test)
    assert len(train) + len(valid) + len(test) == 22


def test_too_few_facts():
    with pytest.raises(EmptySplit, match="too few facts to hold any out for valid"):
        split_triples(np.array([[0, 0, 1], [1, 0, 2]]), 0)


def test_ratios():
    with pytest.raises(InvalidParameter, match="add up to 1"):
        split_triples(random_triples(0), 0, (0.8, 0.1, 0.2))
