"""Blocks of queries: all of them, in order, and never too many scores at once."""

import numpy as np
import pytest

from parsimony.link import blocks as module
from parsimony.link.blocks import blocks


@pytest.mark.parametrize("n_queries", [0, 1, 63, 64, 65, 1000])
@pytest.mark.parametrize("n_entities", [0, 14, 40_000, 5_000_000, 10**9])
def test_blocks_hold_all_queries_in_order_and_few_scores(n_queries, n_entities):
    found = list(blocks(n_queries, n_entities))
    rows = [np.arange(each.start, each.stop) for each in found]
    assert np.concatenate([*rows, []]).tolist() == list(range(n_queries))
    for each in rows:
        assert len(each) == 1 or len(each) * n_entities <= module._CELLS
        assert len(each) <= 64
