"""Distinct triples against NumPy's row-wise unique."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.graph.distinct import (
    distinct_keys,
    distinct_triples,
    first_occurrences,
    triple_keys,
)


@pytest.mark.parametrize("size", [(5, 3), (1 << 30, 1 << 10)])
def test_agrees_with_unique_rows(size):
    n_entities, n_relations = size
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, m, 200) for m in (5, 3, 5)]
    triples = np.stack(columns, axis=1).astype(np.int32)
    assert (triple_keys(triples, n_entities, n_relations) is None) == (n_entities > 5)
    rows, index = np.unique(triples, axis=0, return_index=True)
    assert np.array_equal(distinct_triples(triples, n_entities, n_relations), rows)
    assert np.array_equal(first_occurrences(triples, n_entities, n_relations), index)


def test_nothing():
    assert distinct_triples(np.zeros((0, 3), np.int32), 4, 2).shape == (0, 3)


@given(st.lists(st.integers(-5, 5)))
def test_distinct_keys_ascend(values):
    assert distinct_keys(np.array(values, np.int64)).tolist() == sorted({*values})
