"""How far walks must go, and what they cost: breadth-first search from many facts' heads."""

from __future__ import annotations

import numpy as np

from parsimony.kernels.numerics import kernel

__all__ = ["reach"]


@kernel
def reach(indptr, neighbour, fact, heads, tails, own, longest, most):  # type: ignore[no-untyped-def]
    """Walk from each head without its own fact, until ``longest`` steps are made.

    Where walks of ℓ > 2 steps have more than ``most`` edges together, none goes so far any more.

    IN  indptr (n + 1,) neighbour, fact (m,): edges of either direction, and the fact of each;
        heads, tails, own (k,): the ends of some facts, and their numbers
    OUT steps: how many of ``longest`` were made from all heads, numbers of others say nothing;
        distance (k,): steps of the shortest walk from head to tail, ``longest + 1`` where there is
        none so short; edges (k, longest): edges of step ℓ of the r-digraph, one for each node that
        stays included; nodes (k, longest): entities reached within ℓ steps
    """
    n, k = indptr.shape[0] - 1, heads.shape[0]
    distance = np.full(k, longest + 1, np.int64)
    edges = np.zeros((k, longest), np.int64)
    nodes = np.zeros((k, longest), np.int64)
    seen = np.full(n, -1, np.int64)
    queue = np.empty(n, np.int32)
    together = np.zeros(longest, np.int64)
    for i in range(k):
        queue[0] = heads[i]
        seen[heads[i]] = i
        if heads[i] == tails[i]:
            distance[i] = 0
        begin, end, degree, walked = 0, 1, 0, 0
        for step in range(longest):
            until = end
            for at in range(begin, until):
                v = queue[at]
                degree += indptr[v + 1] - indptr[v]
                for e in range(indptr[v], indptr[v + 1]):
                    o = neighbour[e]
                    if seen[o] != i and fact[e] != own[i]:
                        seen[o] = i
                        queue[end] = o
                        end += 1
                        if o == tails[i] and distance[i] > step + 1:
                            distance[i] = step + 1
            edges[i, step] = degree + until
            nodes[i, step] = end
            begin = until
            walked += edges[i, step]
            together[step] += walked
            if step >= 2 and together[step] > most:
                longest = step
                break
    return longest, distance, edges, nodes
