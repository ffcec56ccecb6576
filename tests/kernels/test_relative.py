from __future__ import annotations

import numpy as np
import pytest

from parsimony.kernels.redgnn.relative import relative_relations, relative_relations_reference


@pytest.mark.parametrize("seed", range(5))
def test_kernel_and_its_twin(seed):
    rng = np.random.default_rng(seed)
    n_relations = int(rng.integers(1, 5))
    relation = rng.integers(0, 2 * n_relations + 1, 200).astype(np.int32)
    source, row_query = rng.integers(0, 30, 200), rng.integers(0, 6, 30)
    q_relation = rng.integers(0, 2 * n_relations, 6)
    found = np.empty_like(relation)
    relative_relations(relation, source, row_query, q_relation, n_relations, found)
    expected = relative_relations_reference(relation, q_relation[row_query[source]], n_relations)
    np.testing.assert_array_equal(found, expected)


def test_only_the_asked_relation_and_its_inverse_lose_their_names():
    found = relative_relations_reference(np.arange(7), 4, 3)  # 4 asks against relation 1
    assert found.tolist() == [0, 8, 2, 3, 7, 5, 6]
