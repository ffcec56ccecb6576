"""RED-GNN and AdaProp in plain torch operations: the readable twin of the fused propagation.

It uses the same CSR expansion and lets autograd make the gradient. Tests hold the fused form to
it, in values and gradients; ``--device cuda`` runs it on the accelerator, with the relational sum
in Triton where that is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from parsimony.kernels import triton
from parsimony.kernels.redgnn.frontier import Frontier, Scratch, Step, expand, start
from parsimony.kernels.redgnn.relative import relative_relations_reference
from parsimony.kernels.redgnn.sampling import prune, top_k_new
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.task import Batch

IntArray = npt.NDArray[np.int32]
ACTIVATIONS = {"identity": lambda x: x, "relu": torch.relu, "tanh": torch.tanh}


class LayerTrace(NamedTuple):
    """What one layer did: for explanations."""

    step: Step
    alpha: npt.NDArray[Any]  # (n_edges,) attention of every edge
    frontier: Frontier  # after sampling
    kept_rows: IntArray | None


def gru_cell(x: Tensor, h: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """One GRU cell step: input x, state h, both (n, d)."""
    x_r, x_z, x_n = F.linear(x, weights["gru.W_ih"], weights["gru.b_ih"]).chunk(3, 1)
    y_r, y_z, y_n = F.linear(h, weights["gru.W_hh"], weights["gru.b_hh"]).chunk(3, 1)
    r, z = torch.sigmoid(x_r + y_r), torch.sigmoid(x_z + y_z)
    return (1 - z) * torch.tanh(x_n + r * y_n) + z * h


def plain_forward(
    walkable: Walkable,
    n_entities: int,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    heads: IntArray,
    relations: IntArray,
    active: npt.NDArray[np.uint8],
    *,
    scratch: Scratch | None = None,
    collapse: bool = False,
    train_seed: int | None = None,
    trace: list[LayerTrace] | None = None,
    share: bool | None = None,
) -> tuple[Frontier, Tensor]:
    """Scores of the reached entities: (last frontier, (n_rows,) scores).

    Dropout is drawn by torch's generator; otherwise the same function as
    ``Propagation.forward``, equal to rounding.
    """
    arch = architecture
    scratch = scratch or Scratch(n_entities)
    device = weights["readout.w"].device

    def index(array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(array.astype(np.int64)).to(device)

    train = train_seed is not None
    if share is None:
        share = collapse and not (train and arch.top_k is not None)
    walked = walkable(active)
    frontier, q_relation = start(heads, relations, share=share)
    row_query = np.arange(len(q_relation), dtype=np.int32)
    q = index(q_relation)
    hidden = torch.zeros(len(q_relation), arch.dim, dtype=weights["readout.w"].dtype, device=device)
    total = hidden[:, 0]
    for layer in range(arch.n_layers):
        w = {
            name.split(".")[1]: value
            for name, value in weights.items()
            if name.startswith(f"layer{layer}.")
        }
        before = frontier
        step = expand(walked, arch.n_relations, frontier, row_query, scratch, collapse=collapse)
        seen = step.relation
        if arch.relative:
            wanted = q_relation[row_query[step.source]]
            seen = relative_relations_reference(seen, wanted, arch.n_relations)
        source, relation = index(step.source), index(seen)
        target = index(np.repeat(np.arange(len(step.indptr) - 1), np.diff(step.indptr)))
        embedding = w["relation"]
        query_part = F.linear(embedding[q], w["W_q"], w["b_q"])
        a = F.linear(hidden, w["W_s"]) + query_part[index(row_query)]
        p = F.linear(embedding, w["W_r"])
        if triton.active(device.type):
            from parsimony.kernels.triton.attention import relational_sum

            alpha, m = relational_sum(
                index(step.indptr), source, relation, a, p, w["w_alpha"], w["b_alpha"].view(1),
                hidden, embedding,
            )  # fmt: skip
        else:
            logit = torch.relu(a[source] + p[relation]) @ w["w_alpha"] + w["b_alpha"]
            alpha = torch.sigmoid(logit)
            message = alpha[:, None] * (hidden[source] + embedding[relation])
            m = torch.zeros(len(step.indptr) - 1, arch.dim, dtype=hidden.dtype, device=device)
            m = m.index_add(0, target, message)
        x = ACTIVATIONS[arch.activation](F.linear(m, w["W_h"]))
        frontier, kept_rows, next_query = step.frontier, None, step.query
        if arch.top_k is not None:
            seed = None if train_seed is None else train_seed * 64 + layer
            logit = (m if arch.from_message else x) @ w["w_sample"]
            if arch.mix_criteria:
                of_query = index(row_query)[source]
                prior_q = F.linear(embedding[q], w["W_prior_q"])[of_query]
                prior = (prior_q * F.linear(embedding, w["W_prior_r"])[relation]).sum(1)
                per_edge = torch.stack([alpha, torch.ones_like(alpha), prior.exp()], 1)
                attention, n, mass = m.new_zeros(len(m), 3).index_add(0, target, per_edge).T
                values = torch.stack([logit, (attention / n).log(), mass.log()], 1)
                gate = torch.softmax(w["criteria"], 1)[q][index(step.query)]
                logit = (gate * values).sum(1)
            x, frontier, kept_rows = _sample(logit, before, step, x, arch.top_k, seed)
            next_query = step.query[kept_rows]
        row_query = next_query
        x = F.dropout(x, arch.dropout, training=train)
        state = torch.zeros_like(x)
        state[: len(step.previous)] = hidden[index(step.previous)]
        hidden = gru_cell(x, state, weights)
        if arch.mix_depths:
            gate = torch.softmax(weights["readout.depth"], 1)[q, layer][index(row_query)]
            before_depth = torch.zeros(len(x), dtype=x.dtype, device=device)
            before_depth[: len(step.previous)] = total[index(step.previous)]
            total = before_depth + gate * (hidden @ weights["readout.w"])
        if trace is not None:
            trace.append(LayerTrace(step, alpha.detach().cpu().numpy(), frontier, kept_rows))
    return frontier, total if arch.mix_depths else hidden @ weights["readout.w"]


def _sample(
    logit: Tensor, before: Frontier, step: Step, x: Tensor, k: int, seed: int | None
) -> tuple[Tensor, Frontier, IntArray]:
    """AdaProp's sampling with the straight-through factor, one node per row in training."""
    after = step.frontier
    values = logit.detach().cpu().numpy()
    noise = np.empty(0, values.dtype)
    if seed is not None:
        rng = np.random.default_rng([seed, 1])
        noise = rng.standard_exponential(len(after.node)).astype(values.dtype)
        noise = -np.log(np.maximum(noise, np.finfo(values.dtype).tiny))
    keep = np.zeros(len(after.node), np.uint8)
    n_kept = top_k_new(before.ptr, after.ptr, after.row, values, noise, k, keep)
    ptr, node, row, kept_rows, _ = prune(
        before.ptr, after.ptr, after.node, after.row, keep, len(step.previous), len(x), n_kept
    )
    factor = torch.ones(len(x), dtype=x.dtype, device=x.device)
    if seed is not None and len(x) == len(after.node):
        for b in range(len(ptr) - 1):
            first = after.ptr[b] + before.ptr[b + 1] - before.ptr[b]
            new = after.row[first : after.ptr[b + 1]]
            rows = torch.from_numpy(new.astype(np.int64)).to(x.device)
            if not len(rows):
                continue
            z = logit[rows] + torch.from_numpy(noise[first : after.ptr[b + 1]]).to(x.device)
            p = torch.softmax(z, 0)
            factor = factor.index_copy(0, rows, 1 - p.detach() + p)
    index = torch.from_numpy(kept_rows.astype(np.int64)).to(x.device)
    return (x * factor[:, None])[index], Frontier(ptr, node, row), kept_rows


def plain_loss(
    frontier: Frontier,
    scores: Tensor,
    n_entities: int,
    batch: Batch,
) -> Tensor:
    """Sum of the multi-class log-losses (kernels/redgnn/partition_sum.py) over dense scores."""
    total = scores.new_zeros(())
    for b in range(len(frontier.ptr) - 1):
        inside = slice(frontier.ptr[b], frontier.ptr[b + 1])
        dense = scores.new_zeros(n_entities)
        node = torch.from_numpy(frontier.node[inside].astype(np.int64)).to(scores.device)
        row = torch.from_numpy(frontier.row[inside].astype(np.int64)).to(scores.device)
        dense = dense.index_copy(0, node, scores[row])
        known = batch.known[batch.known_ptr[b] : batch.known_ptr[b + 1]].astype(np.int64)
        truths = batch.answer[batch.answer_ptr[b] : batch.answer_ptr[b + 1]].astype(np.int64)
        left_out = torch.zeros(len(truths), n_entities, dtype=torch.bool)
        left_out[:, known] = True
        left_out[np.arange(len(truths)), truths] = False
        logits = dense.repeat(len(truths), 1).masked_fill(left_out.to(scores.device), -torch.inf)
        total = total + (torch.logsumexp(logits, 1) - dense[truths]).sum()
    return total
