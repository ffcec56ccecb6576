"""The multi-class log-loss over all entities, without touching the unreached ones.

    L = Σ_(u,q,v) [ −f(u,q,v) + log Σ_{v'} e^{f(u,q,v')} ]

(methods/04 c). Unreached entities score 0: they add N − |V^L| to the partition sum and carry no
gradient, so nothing of size N is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.floating[Any]]


@kernel
def log_loss(ptr, node, row, score, n_entities, answer_ptr, answer, d_score):  # type: ignore[no-untyped-def]
    """Sum of the log-losses of a batch and its gradient.

    IN  ptr (n_queries + 1,) node, row (n_nodes,) the last frontier; score (n_rows,)
        answer_ptr (n_queries + 1,) answer (n_answers,) entities
    OUT d_score (n_rows,) is added to; returns the loss
    """
    total = 0.0
    for b in range(ptr.shape[0] - 1):
        n_reached = ptr[b + 1] - ptr[b]
        top = score[0] * 0
        for i in range(ptr[b], ptr[b + 1]):
            top = max(top, score[row[i]])
        z = float(n_entities - n_reached) * np.exp(-np.float64(top))
        for i in range(ptr[b], ptr[b + 1]):
            z += np.exp(np.float64(score[row[i]] - top))
        log_z = np.log(z) + top
        n_answers = answer_ptr[b + 1] - answer_ptr[b]
        for i in range(ptr[b], ptr[b + 1]):
            d_score[row[i]] += n_answers * np.exp(np.float64(score[row[i]]) - log_z)
        total += n_answers * log_z
        for j in range(answer_ptr[b], answer_ptr[b + 1]):
            for i in range(ptr[b], ptr[b + 1]):
                if node[i] == answer[j]:
                    total -= score[row[i]]
                    d_score[row[i]] -= 1
                    break
    return total


def log_loss_reference(scores: FloatArray, answers: list[list[int]]) -> float:
    """The readable twin over dense scores (n_queries, n_entities)."""
    total = 0.0
    for query, truths in zip(scores.astype(np.float64), answers, strict=True):
        partition = np.log(np.exp(query - query.max()).sum()) + query.max()
        total += sum(partition - query[t] for t in truths)
    return total
