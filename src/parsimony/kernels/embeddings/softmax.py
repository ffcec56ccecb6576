"""Softmax over all candidates of many queries, in place, with the answers subtracted.

Scores have the layout (candidates, queries): the product E Qᵀ is then the fastest of the three
products of a training step, and the sums run along the first axis, vectorised over the queries. The
result is the gradient of the cross-entropy up to one factor per query, which the caller applies to
the (much smaller) query vectors: scaling the scores would need another pass over memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import exp, kernel

FloatArray = npt.NDArray[np.floating[Any]]

_ROWS = 128  # rows summed in the scores' precision before they are added to the float64 total


@kernel
def softmax_residual(scores, bias, ptr, answer, low, high, partial, highest, total, loss):  # type: ignore[no-untyped-def]
    """Cross-entropy of the queries low … high − 1 and, in place, its gradient.

    With s the scores plus ``bias``, Z = Σ_c exp(s_c − max s), and the answers a of a query
    (``answer[ptr[q]:ptr[q + 1]]``, n of them; repeated ones count again)::

        loss   = n (log Z + max s) − Σ_a s_a
        scores = exp(s − max s) − (Z / n) #(c among the answers)
        ∂loss/∂s = scores · n / Z

    IN  bias (n_candidates,) ptr (n_queries + 1,) answer: rows of ``scores``
        partial (n_queries,): scratch
    OUT scores (n_candidates, n_queries), in place; highest, total, loss (n_queries,)
    """
    for q in range(low, high):
        highest[q] = -np.inf
        total[q] = 0.0
    # Only loops from 0 over slices are vectorised.
    n = high - low
    top, part, whole = highest[low:high], partial[low:high], total[low:high]
    for c in range(scores.shape[0]):
        row, b = scores[c, low:high], bias[c]
        for q in range(n):
            x = row[q] + b
            top[q] = x if x > top[q] else top[q]
    for q in range(low, high):
        found = 0.0
        for i in range(ptr[q], ptr[q + 1]):
            found += scores[answer[i], q] + bias[answer[i]]
        loss[q] = -found
    for first in range(0, scores.shape[0], _ROWS):
        part[:] = 0
        for c in range(first, min(first + _ROWS, scores.shape[0])):
            row, b = scores[c, low:high], bias[c]
            for q in range(n):
                x = exp(row[q] + b - top[q])
                row[q] = x
                part[q] += x
        for q in range(n):
            whole[q] += part[q]
    for q in range(low, high):
        count = ptr[q + 1] - ptr[q]
        loss[q] += count * (np.log(total[q]) + highest[q])
        for i in range(ptr[q], ptr[q + 1]):
            scores[answer[i], q] -= total[q] / count


def softmax_residual_reference(
    scores: FloatArray, bias: FloatArray, ptr: npt.NDArray[Any], answer: npt.NDArray[Any]
) -> tuple[FloatArray, FloatArray]:
    """Reference implementation: loss (n_queries,), ∂loss/∂scores (n_candidates, n_queries)."""
    shifted = scores + bias[:, None]
    shifted = shifted - shifted.max(axis=0)
    probability = np.exp(shifted) / np.exp(shifted).sum(axis=0)
    loss, gradient = np.zeros(scores.shape[1], scores.dtype), np.zeros_like(scores)
    for q, answers in enumerate(np.split(answer, ptr[1:-1])):
        for a in answers:
            loss[q] -= np.log(probability[a, q])
            gradient[:, q] += probability[:, q]
            gradient[a, q] -= 1
    return loss, gradient
