"""EmerGNN's propagation in plain torch over the whole graph: the readable twin of the pair flow.

One pair at a time, every entity and every edge, gradients by autograd. Tests hold
:mod:`parsimony.kernels.emergnn.flow` to it, and the benchmark measures against it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from parsimony.kernels.emergnn.graph import ActiveGraph


class WholeGraph:
    """Every message edge (source, relation, target) and its weight in layers 2 and 3."""

    def __init__(self, graph: ActiveGraph, dtype: torch.dtype) -> None:
        n = graph.n_entities
        self.n_entities = n
        source = np.repeat(np.arange(n), np.diff(graph.indptr))
        self.source, self.relation, self.target = (
            torch.from_numpy(x.astype(np.int64)) for x in (source, graph.relation, graph.neighbour)
        )
        entity = np.repeat(np.arange(n), np.diff(graph.degree_ptr))
        of = entity * graph.n_messages + graph.degree_relation
        order = np.argsort(of)
        wanted = graph.neighbour.astype(np.int64) * graph.n_messages + graph.relation
        weight = graph.degree_weight[order][np.searchsorted(of[order], wanted)]
        self.weight = torch.from_numpy(weight).to(dtype)


def plain_flow(
    graph: WholeGraph,
    u: int,
    v: int,
    f_u: Tensor,
    alpha: Tensor,
    e: Tensor,
    w: Tensor,
    b: Tensor | None,
) -> Tensor:
    """h_{u→v} (docs/methods/emergnn.md, eq. 4).

    Parameters
    ----------
    graph
        All edges.
    u, v
        The pair.
    f_u
        (dim,) feature of u.
    alpha
        (L, 2R + 1) the pair's weights of the message relations.
    e
        (L, 2R + 1, dim) relation vectors.
    w
        (L, dim, dim) the layers' matrices.
    b
        (L, dim) biases, or None.
    """
    h = torch.zeros(graph.n_entities, len(f_u), dtype=f_u.dtype)
    h = torch.index_put(h, (torch.tensor([u]),), f_u[None])
    for layer in range(len(w)):
        rho = alpha[layer][:, None] * e[layer]
        # index_select: its gradient is a plain sum, that of h[source] sorts the edges first
        message = rho.index_select(0, graph.relation) * h.index_select(0, graph.source)
        if layer:
            message = message * graph.weight[:, None]
        z = torch.zeros_like(h).index_add(0, graph.target, message)
        h = torch.relu(F.linear(z, w[layer], None if b is None else b[layer]))
    return h[v]
