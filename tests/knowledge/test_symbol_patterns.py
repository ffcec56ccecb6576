"""What structures can express, against the published definitions and by example."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from parsimony.knowledge.symbol import Symbol
from parsimony.knowledge.symbol_patterns import (
    N_FEATURES,
    degenerate,
    generic_rank,
    patterns,
    srf,
    symmetric_projection,
    symmetric_rank,
)

cells = arrays(np.int8, (4, 4), elements=st.integers(-4, 4) | st.just(0))
# Mostly mirrored cells: random ones are hardly ever symmetric.
mirrored = cells.map(lambda rows: np.triu(rows) + np.triu(rows, 1).T)
flipped = cells.map(lambda rows: np.triu(rows) - np.triu(rows, 1).T)
interesting = cells | mirrored | flipped


def matrix(rows, values):
    table = np.array([0, *values])
    return table[np.abs(rows)] * np.sign(rows)


def srf_as_published(rows):
    """All of {−4 … 4}⁴ in a loop, cases by zeros and distinct absolute values."""
    found = {}
    for values in product(range(-4, 5), repeat=4):
        case = (values.count(0), len({abs(v) for v in values} - {0}))
        g = matrix(rows, values)
        bits = found.setdefault(case, [False, False])
        bits[0] |= bool((g == g.T).all())
        bits[1] |= bool((g == -g.T).all())
    return [found[case][kind] for kind in (0, 1) for case in sorted(found)]


@settings(max_examples=25, deadline=None)
@given(interesting)
def test_features_are_the_published_ones(rows):
    assert srf(rows[None])[0].tolist() == srf_as_published(rows)


def test_features_of_batches():
    rows = np.random.default_rng(0).integers(-4, 5, (3000, 4, 4))
    bits = srf(rows)
    assert bits.shape == (3000, N_FEATURES) == (3000, 22)
    assert (bits[2990] == srf(rows[2990:2991])[0]).all()


def determinant(rows, values):
    """Exact, by whole numbers."""
    from itertools import permutations

    g = [[int(x) for x in row] for row in matrix(rows, values)]
    total = 0
    for order in permutations(range(4)):
        sign = 1
        for a in range(4):
            for b in range(a):
                sign *= 1 if order[b] < order[a] else -1
        part = sign
        for i, j in enumerate(order):
            part *= g[i][j]
        total += part
    return total


@settings(max_examples=150)
@given(interesting)
def test_full_rank_is_a_determinant_that_does_not_vanish(rows):
    draws = [(101, 997, 7919, 104729), (3, 104651, 53, 1013)]
    assert (generic_rank(rows[None])[0] == 4) == any(determinant(rows, v) for v in draws)


def test_degenerate():
    # Regular labels, singular for every r: rows 1 and 2 are equal but for names of relations.
    wasteful = [[1, 0, 0, 0], [2, 0, 0, 0], [0, 3, 0, 0], [0, 0, 4, 1]]
    idle_relation = [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 3]]
    # Singular as labels (det = 0), but not for other relation vectors.
    refused_by_labels = [[1, 2, 0, 0], [2, 4, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]]
    assert abs(np.linalg.det(np.array(refused_by_labels))) < 1e-9
    assert degenerate([wasteful, idle_relation, refused_by_labels]).tolist() == [True, True, False]
    assert generic_rank([wasteful, idle_relation, [[0] * 4] * 4]).tolist() == [3, 4, 0]


@pytest.mark.parametrize(
    ("name", "words"),
    [("DistMult", ["symmetric", "inverse"]),
     ("ComplEx", ["symmetric", "skew-symmetric", "inverse", "general"]),
     ("SimplE", ["symmetric", "skew-symmetric", "inverse", "general"]),
     ("Analogy", ["symmetric", "skew-symmetric (rank 2)", "inverse", "general"]),
     ("CP", ["general"]),
     ("AutoBLM-biokg", ["symmetric", "skew-symmetric (rank 2)", "inverse", "general"]),
     ("AutoSF-FB15k-237", ["symmetric (rank 1)", "general"])],
)  # fmt: skip
def test_words(name, words):
    assert Symbol.parse(name).patterns.words() == words


@settings(max_examples=100)
@given(interesting)
def test_inverse_by_solving(rows):
    """G(r') = G(r)ᵀ is linear in r': solvable for every r, or the pattern is not there."""
    unit = np.stack([matrix(rows, np.eye(4, dtype=int)[k]).ravel() for k in range(4)], axis=1)
    solvable = True
    for r in ((1.0, 2.5, 3.7, 5.1), (2.2, 1.1, 7.3, 0.4)):
        wanted = matrix(rows, r).T.ravel()
        solution = np.linalg.lstsq(unit, wanted, rcond=None)[0]
        solvable &= bool(np.allclose(unit @ solution, wanted))
    assert patterns(rows).inverse == solvable


@settings(max_examples=100)
@given(interesting)
def test_ranks_of_symmetric_relations_by_linear_algebra(rows):
    """The r with G(r) = ±G(r)ᵀ form a space; a random member of it has the largest rank."""
    got = patterns(rows)
    for sign, rank in ((1, got.symmetric), (-1, got.skew_symmetric)):
        asked = [
            (matrix(rows, np.eye(4)[k]) - sign * matrix(rows, np.eye(4)[k]).T).ravel()
            for k in range(4)
        ]
        _, singular, v = np.linalg.svd(np.stack(asked, axis=1))
        space = v[np.sum(singular > 1e-9) :]
        r = np.random.default_rng(0).normal(size=len(space)) @ space if len(space) else np.zeros(4)
        assert np.linalg.matrix_rank(matrix(rows, r), tol=1e-9) == rank


@settings(max_examples=40, deadline=None)
@given(interesting)
def test_the_projection_makes_a_relation_symmetric_and_keeps_one_that_is(rows):
    (p,) = symmetric_projection(rows)
    for r in np.random.default_rng(0).integers(-9, 10, (5, 4)):
        g = matrix(rows, p @ r)
        np.testing.assert_allclose(g, g.T, atol=1e-9)
    for r in product(range(-1, 2), repeat=4):
        g = matrix(rows, r)
        if (g == g.T).all():
            np.testing.assert_allclose(p @ np.array(r), r, atol=1e-9)
    assert symmetric_rank(rows)[0] == patterns(rows).symmetric
