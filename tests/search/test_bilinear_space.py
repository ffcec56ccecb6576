"""The bilinear space: its moves, its features, and the list of all small structures."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.knowledge.symbol import Symbol
from parsimony.knowledge.symbol_canonical import canonical_keys
from parsimony.knowledge.symbol_patterns import degenerate
from parsimony.search.symbol_space import BilinearSpace, enumerated

SPACE = BilinearSpace()


def test_moves():
    random = np.random.default_rng(0)
    for _ in range(100):
        one, two = SPACE.sample(random), SPACE.sample(random)
        assert 4 <= one.n_blocks <= 16
        grown = SPACE.grow(one, random)
        assert grown.n_blocks == min(16, one.n_blocks + 2)
        kept = one.matrix() != 0
        assert (grown.matrix()[kept] == one.matrix()[kept]).all()
        child = SPACE.crossover(one, two, random).matrix()
        assert ((child == one.matrix()) | (child == two.matrix())).all()
        assert SPACE.parse(SPACE.text(one)) == one
    changed = [(SPACE.mutate(one, random).matrix() != one.matrix()).sum() for _ in range(2000)]
    assert np.mean(changed) == pytest.approx(2 * 8 / 9, rel=0.1)


def test_start_and_named():
    start = SPACE.start()
    assert len(start) == 8
    assert SPACE.valid(start).all()
    assert len(set(SPACE.keys(start))) == 8
    assert {s.name for s in start} >= {"DistMult", "ComplEx", "SimplE", "Analogy", "QuatE"}
    assert SPACE.keys([]) == []
    assert SPACE.valid([]).shape == (0,)


def test_features_are_those_of_the_orbit():
    random = np.random.default_rng(1)
    drawn = [SPACE.sample(random) for _ in range(200)]
    first = SPACE.features(drawn)
    assert (first == SPACE.features([s.canonical() for s in drawn])).all()
    assert (first == SPACE.features([moved(s, random) for s in drawn])).all()
    assert len(np.unique(first, axis=0)) > 190  # they tell structures apart


def moved(symbol, random):
    """The same structure with its chunks in another order and with other signs."""
    entity, relation = random.permutation(4), random.permutation(4)
    s, u = random.choice([-1, 1], 4), random.choice([-1, 1], 4)
    rows = np.zeros((4, 4), dtype=int)
    for i, k, j, sign in symbol.blocks:
        rows[entity[i], entity[j]] = sign * s[i] * s[j] * u[k] * (relation[k] + 1)
    return Symbol(rows.tolist())


def test_how_many_structures_there_are():
    assert [len(enumerated(n)) for n in (3, 4, 5)] == [0, 5, 148]


def test_the_list_is_complete_and_free_of_doubles():
    random = np.random.default_rng(2)
    listed = canonical_keys(enumerated(5))
    assert len(set(listed.tolist())) == len(listed)
    assert not degenerate(enumerated(5)).any()
    rows = np.zeros((40_000, 16), dtype=np.int8)
    places = random.permuted(np.tile(np.arange(16), (len(rows), 1)), axis=1)[:, :5]
    labels = random.integers(1, 5, places.shape) * random.choice([-1, 1], places.shape)
    np.put_along_axis(rows, places, labels.astype(np.int8), axis=1)
    cells = rows.reshape(-1, 4, 4)
    drawn = set(canonical_keys(cells[~degenerate(cells)]).tolist())
    assert drawn <= set(listed.tolist())
    assert len(drawn) > 0.95 * len(listed)


@pytest.mark.slow
def test_all_structures_up_to_six_blocks():
    listed = list(SPACE.enumerate(6))
    assert len(listed) == 5 + 148 + 5812
    assert [s.n_blocks for s in listed] == sorted(s.n_blocks for s in listed)
    assert len({s.key for s in listed}) == len(listed)
    assert listed == list(SPACE.enumerate(6))
