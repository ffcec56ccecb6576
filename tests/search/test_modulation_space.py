"""The space of modulation formulas."""

from __future__ import annotations

import numpy as np

from parsimony.knowledge.formula import Formula
from parsimony.search.formula_space import N_STRUCTURES, ModulationSpace

SPACE = ModulationSpace()


def test_it_lists_every_structure_once_the_smallest_first():
    everything = list(SPACE.enumerate(SPACE.max_size))
    assert len(everything) == len({f.bits for f in everything}) == N_STRUCTURES == 65536
    sizes = [SPACE.size(f) for f in everything]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 16
    assert sum(1 for _ in SPACE.enumerate(2)) == 1 + 16 + 120


def test_moves_stay_in_the_space():
    random = np.random.default_rng(0)
    full = Formula.from_bits(N_STRUCTURES - 1)
    assert SPACE.grow(full, random) == full
    for _ in range(200):
        a, b = SPACE.sample(random), SPACE.sample(random)
        grown = SPACE.grow(a, random)
        assert grown.bits & a.bits == a.bits
        assert SPACE.size(grown) == min(SPACE.size(a) + 1, 16)
        assert SPACE.mutate(a, random) != a
        child = SPACE.crossover(a, b, random)
        assert all(c in (x, y) for c, x, y in zip(child.positions, a.positions, b.positions,
                                                  strict=True))  # fmt: skip
        assert SPACE.parse(SPACE.text(a)) == a


def test_start_features_and_keys():
    named = SPACE.start()
    assert [f.name for f in named] == list(SPACE.named())
    assert SPACE.valid(named).all()
    features = SPACE.features(named)
    assert features.shape == (5, 24)
    assert features[0, :16].sum() == 8  # FiLM
    assert len(set(SPACE.keys(named))) == 5
