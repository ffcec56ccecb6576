"""The log-loss over all entities against dense scores and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.random_multigraphs import DTYPES, assert_close

from parsimony.kernels.redgnn.partition_sum import log_loss, log_loss_reference


@st.composite
def batches(draw):
    """Frontiers whose nodes share rows; answers reached, unreached, repeated, known, or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_entities, n_rows = draw(st.integers(1, 9)), draw(st.integers(1, 8))
    n_queries = draw(st.integers(0, 4))
    nodes = [
        rng.permutation(n_entities)[: rng.integers(0, n_entities + 1)] for _ in range(n_queries)
    ]
    answers = [rng.integers(0, n_entities, rng.integers(0, 4)) for _ in range(n_queries)]
    known = [rng.permutation(n_entities)[: rng.integers(0, n_entities + 1)] for _ in answers]
    if draw(st.booleans()):
        known = [x[:0] for x in known]
    known_ptr = np.concatenate([[0], np.cumsum([len(x) for x in known])]).astype(np.int64)
    ptr = np.concatenate([[0], np.cumsum([len(x) for x in nodes])]).astype(np.int64)
    answer_ptr = np.concatenate([[0], np.cumsum([len(x) for x in answers])]).astype(np.int64)
    node = np.concatenate([*nodes, []]).astype(np.int32)
    row = rng.integers(0, n_rows, len(node)).astype(np.int32)
    score = draw(st.sampled_from([1.0, 30.0, 300.0])) * rng.standard_normal(n_rows)
    return (
        n_entities,
        ptr,
        node,
        row,
        score,
        answer_ptr,
        np.concatenate([*answers, []]).astype(np.int32),
        known_ptr,
        np.concatenate([*known, []]).astype(np.int32),
    )


def reference(batch, score):
    n_entities, ptr, node, row, _, answer_ptr, answer, known_ptr, known = batch
    dense = np.zeros((len(ptr) - 1, n_entities))
    answers, left_out = [], []
    for b in range(len(ptr) - 1):
        inside = slice(ptr[b], ptr[b + 1])
        dense[b, node[inside]] = score[row[inside]]
        answers.append(answer[answer_ptr[b] : answer_ptr[b + 1]].tolist())
        left_out.append(known[known_ptr[b] : known_ptr[b + 1]].tolist())
    return log_loss_reference(dense, answers, left_out)


@pytest.mark.parametrize("dtype", DTYPES)
@given(batch=batches())
@settings(deadline=None, max_examples=150)
def test_loss_and_gradient(dtype, batch):
    n_entities, ptr, node, row, score, *queries = batch
    score = score.astype(dtype).astype(np.float64)
    scratch = (
        np.zeros(n_entities, np.int64), np.empty(n_entities, np.int32), np.zeros(1, np.int64)
    )  # fmt: skip
    d_score = np.ones(len(score), dtype)
    loss = log_loss(
        ptr, node, row, score.astype(dtype), n_entities, *queries, *scratch, d_score
    )  # fmt: skip
    assert_close(loss, reference(batch, score), dtype)
    step = 1e-5
    for i in range(len(score)):
        ahead, behind = score.copy(), score.copy()
        ahead[i] += step
        behind[i] -= step
        difference = (reference(batch, ahead) - reference(batch, behind)) / (2 * step)
        assert d_score[i] - 1 == pytest.approx(difference, abs=2e-5, rel=2e-5)
