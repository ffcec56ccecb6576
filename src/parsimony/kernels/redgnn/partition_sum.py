"""The multi-class log-loss over all entities, without visiting the unreached ones.

    L = Σ_(u,q,v) [ −f(u,q,v) + log Σ_{v'} e^{f(u,q,v')} ]

(docs/methods/redgnn.md, eqs. 8, 9). Unreached entities score 0: they add N − |V^L| to the partition
sum and have no gradient, so nothing of size N is allocated. The other known answers of a query can
be left out of the sum (docs/methods/redgnn.md, eq. 10): the model is then not trained to rank one
true answer above another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import exp, kernel

FloatArray = npt.NDArray[np.floating[Any]]


@kernel
def log_loss(  # type: ignore[no-untyped-def]
    ptr, node, row, score, n_entities, answer_ptr, answer, known_ptr, known,
    stamp, position, tick, d_score,
):  # fmt: skip
    """Compute the sum of the log-losses of a batch and its gradient.

    IN  ptr (n_queries + 1,) node, row (n_nodes,) the last frontier; score (n_rows,)
        answer_ptr (n_queries + 1,) answer (n_answers,) entities
        known_ptr (n_queries + 1,) known: distinct entities that occur in no partition sum but that
        of their own answer
        stamp, position, tick: scratch over the entities
    OUT d_score (n_rows,) is added to; returns the loss
    """
    total = 0.0
    most = 0
    for b in range(ptr.shape[0] - 1):
        most = max(most, ptr[b + 1] - ptr[b])
    power = np.empty(most, score.dtype)  # e^(f - top) of the included nodes
    zero = score.dtype.type(0)
    nothing = score.dtype.type(-np.inf)
    for b in range(ptr.shape[0] - 1):
        tick[0] += 1
        now = tick[0]
        start = ptr[b]
        n_reached = ptr[b + 1] - start
        for i in range(n_reached):
            stamp[node[start + i]] = now
            position[node[start + i]] = i
            power[i] = score[row[start + i]]
        n_unreached = n_entities - n_reached
        for j in range(known_ptr[b], known_ptr[b + 1]):
            v = known[j]
            if stamp[v] != now:
                n_unreached -= 1
                stamp[v] = now
                position[v] = -1  # left out, unreached
            else:
                power[position[v]] = nothing
                position[v] = -2 - position[v]  # left out
        # The maximum of the included nodes only: below an excluded score e^(f - top) could vanish.
        top = zero if n_unreached > 0 else nothing
        for i in range(n_reached):
            top = max(top, power[i])
        for i in range(n_reached):
            power[i] = exp(power[i] - top)
        for j in range(known_ptr[b], known_ptr[b + 1]):
            if position[known[j]] < -1:
                power[-2 - position[known[j]]] = zero
        z = n_unreached * np.exp(-np.float64(top)) if n_unreached > 0 else 0.0
        for i in range(n_reached):
            z += power[i]
        weight = 0.0  # factor of e^(f - top) in the gradient of all partition sums
        for j in range(answer_ptr[b], answer_ptr[b + 1]):
            at = -1
            left_out = False
            if stamp[answer[j]] == now:
                at = position[answer[j]]
                left_out = at < 0
                at = -2 - at if left_out else at
            f = np.float64(score[row[start + at]]) if at >= 0 else 0.0
            highest = max(np.float64(top), f) if left_out else np.float64(top)
            others = np.exp(top - highest)
            own = np.exp(f - highest) if left_out else 0.0
            own_z = z * others + own
            total += np.log(own_z) + highest - f
            weight += others / own_z
            if at >= 0:
                d_score[row[start + at]] += own / own_z - 1
        for i in range(n_reached):
            d_score[row[start + i]] += power[i] * weight
    return total


def log_loss_reference(
    scores: FloatArray, answers: list[list[int]], known: list[list[int]] | None = None
) -> float:
    """Reference implementation on dense scores (n_queries, n_entities)."""
    total = 0.0
    for b, (query, truths) in enumerate(zip(scores.astype(np.float64), answers, strict=True)):
        for t in truths:
            others = np.ones(len(query), bool)
            others[[] if known is None else known[b]] = False
            others[t] = True
            top = query[others].max()
            total += np.log(np.exp(query[others] - top).sum()) + top - query[t]
    return total
