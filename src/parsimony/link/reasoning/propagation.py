"""Forward and backward pass of RED-GNN and AdaProp over the rows of a batch (fused form).

Equations are those of docs/methods/redgnn.md and, of the sampler, docs/methods/adaprop.md.

One object per thread: it owns the scratch arrays and the buffers, which keep their pages from batch
to batch (fresh large arrays cost more than the arithmetic on them). The plain twin, with torch's
autograd, is :mod:`parsimony.link.reasoning.propagation_torch`.

    a = W_s h + W_q e_q + b_q,  p = W_r e      (2), per row and per relation
    m = Σ α (h_s + e_r)                        (2, 3)  kernels/redgnn/attention.py
    ĥ = act(W_h m), dropout                    (4)     kernels/redgnn/linear.py
                                               → AdaProp: logits w_s · ĥ, top-K new nodes; from
                                                 messages (criteria.py) they come before m
    h' = GRU(ĥ, h of the step before or 0)     (4, 5)  kernels/redgnn/gru.py
    f = w · h^L                                (6)     or of all depths: readout.py
    loss                                       (9, 10) kernels/redgnn/partition_sum.py
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.dense import constant
from parsimony.kernels.molecules.gathers import add_rows
from parsimony.kernels.products import chosen
from parsimony.kernels.redgnn.attention import attention_kernels, projection_gradients
from parsimony.kernels.redgnn.candidates import select_rows
from parsimony.kernels.redgnn.frontier import Frontier, Scratch, Step, expand, start
from parsimony.kernels.redgnn.gru import gru_backward, gru_forward
from parsimony.kernels.redgnn.linear import ACTIVATIONS, dropout, linear, linear_backward
from parsimony.kernels.redgnn.partition_sum import log_loss
from parsimony.kernels.redgnn.relative import relative_relations
from parsimony.kernels.redgnn.sampling import add_outer, factor_gradients, scatter_kept
from parsimony.link.reasoning.architecture import Architecture, Counts
from parsimony.link.reasoning.criteria import Criteria, judge, judge_backward, logits
from parsimony.link.reasoning.node_sampler import Sampling, sample, sample_backward
from parsimony.link.reasoning.readout import (
    Depth,
    add_depth,
    add_depth_backward,
    softmax,
    softmax_backward,
    to_previous,
)
from parsimony.link.reasoning.walkable import Walkable
from parsimony.link.reasoning.weights import Weights
from parsimony.link.reasoning.workspace import BLOCK, Workspace, blocks, matmul, matvec
from parsimony.link.task import Batch

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int32]


@dataclass
class _Layer:
    """What the backward pass of one layer reads."""

    step: Step
    relation: IntArray  # (n_edges,) rows of the relation table
    hidden: FloatArray  # (n_sources, d) h of the step before
    alpha: FloatArray
    a: FloatArray
    p: FloatArray
    m: FloatArray
    x: FloatArray  # act(W_h m) before dropout, all rows
    x_kept: FloatArray  # input of the GRU
    kept_rows: IntArray | None  # of m and x; None: all
    gate: FloatArray
    y_n: FloatArray
    out: FloatArray
    sampling: Sampling | None
    criteria: Criteria | None
    seed: int | None  # of dropout


class Propagation:
    """Scores of batches of queries and their gradients, on one thread.

    Parameters
    ----------
    walkable
        Both directions of every fact, without those that are set aside; several may share it.
    n_entities
        Number of entities N.
    architecture
        Dimensions and options.
    dtype
        float32, or float64 for the oracle tests.
    collapse
        Compute equal states once (exact; see :mod:`parsimony.kernels.redgnn.frontier`).
    """

    def __init__(
        self,
        walkable: Walkable,
        n_entities: int,
        architecture: Architecture,
        *,
        dtype: npt.DTypeLike = np.float32,
        collapse: bool = True,
        profile: bool = False,
    ) -> None:
        self.walkable = walkable
        self.n_entities = n_entities
        self.architecture = architecture
        self.dtype = np.dtype(dtype)
        self.collapse = collapse
        self.profile = profile
        self.scratch = Scratch(n_entities)
        self.kernels = attention_kernels(architecture.dim, architecture.attention_dim)
        self.dim, self.form = constant(architecture.dim), chosen()
        self.sampler = ["w_sample"] if architecture.top_k is not None else []
        if architecture.mix_criteria:
            self.sampler += ["W_prior_q", "W_prior_r", "criteria"]
        self.counts = Counts()
        self.space = Workspace(dtype)
        self._layers: list[_Layer] = []

    def _lap(self, part: str, since: float) -> float:
        now = time.perf_counter()
        if self.profile:
            seconds = self.counts.seconds
            seconds[part] = seconds.get(part, 0.0) + now - since
        return now

    # ---- forward -----------------------------------------------------------------------------

    def forward(
        self,
        weights: Weights,
        heads: IntArray,
        relations: IntArray,
        active: npt.NDArray[np.uint8],
        *,
        train_seed: int | None = None,
    ) -> tuple[Frontier, FloatArray]:
        """Score the reached entities of every query.

        Parameters
        ----------
        heads, relations
            (n_queries,) entity and relation ids; r + R asks for heads.
        active
            (n_facts,) 1 where a fact may be walked.
        train_seed
            None in evaluation; else the seed of dropout and Gumbel noise.

        Returns
        -------
        frontier, scores
            The last frontier and (n_rows,) scores; unreached entities score 0.
        """
        arch = self.architecture
        d, train = arch.dim, train_seed is not None
        walkable = self.walkable(active)
        # Sampling noise is drawn per node, so equal states of different queries part company.
        share = self.collapse and not (train and arch.top_k is not None)
        frontier, q_relation = start(heads, relations, share=share)
        row_query = np.arange(len(q_relation), dtype=np.int32)
        self._q_relation = q_relation
        self._layers = []
        hidden = self.space.array("h0", len(q_relation), d, zero=True)
        w = weights["readout.w"]
        self._depths: list[Depth] = []
        if arch.mix_depths:
            self._gates = softmax(weights["readout.depth"][q_relation])
            total = np.zeros(len(q_relation), self.dtype)
        for layer in range(arch.n_layers):
            begin = time.perf_counter()
            step = expand(
                walkable, arch.n_relations, frontier, row_query, self.scratch,
                collapse=self.collapse,
            )  # fmt: skip
            self._lap("expansion", begin)
            seed = None if train_seed is None else train_seed * 64 + layer
            frontier, row_query, hidden = self._layer(
                weights, layer, frontier, step, row_query, hidden, q_relation, seed
            )
            if arch.mix_depths:
                total, depth = add_depth(
                    self._gates, layer, hidden, w, row_query, step.previous, total
                )
                self._depths.append(depth)
        if arch.mix_depths:
            return frontier, total
        begin = time.perf_counter()
        scores = self.space.array("score", len(hidden), 1)
        matmul(hidden, w.reshape(d, 1), scores)
        self._lap("dense", begin)
        return frontier, scores[:, 0]

    def _layer(
        self,
        weights: Weights,
        layer: int,
        before: Frontier,
        step: Step,
        row_query: IntArray,
        hidden: FloatArray,
        q_relation: IntArray,
        seed: int | None,
    ) -> tuple[Frontier, IntArray, FloatArray]:
        arch = self.architecture
        d, a_dim = arch.dim, arch.attention_dim
        w = {name: weights[f"layer{layer}.{name}"] for name in
             ("relation", "W_s", "W_r", "W_q", "b_q", "w_alpha", "b_alpha", "W_h", *self.sampler)
             }  # fmt: skip
        n_old, n_sources, reached = len(step.previous), len(hidden), step.frontier

        begin = time.perf_counter()
        of_query = self.space.array("pq", len(q_relation), a_dim)
        matmul(w["relation"][q_relation], w["W_q"].T, of_query)
        of_query += w["b_q"]
        a = matmul(hidden, w["W_s"].T, self.space.array(f"a{layer}", n_sources, a_dim))
        a += of_query[row_query]
        p = matmul(
            w["relation"], w["W_r"].T, self.space.array(f"p{layer}", len(w["relation"]), a_dim)
        )
        begin = self._lap("dense", begin)

        relation = step.relation
        if arch.relative:
            relation = np.empty_like(step.relation)
            relative_relations(
                step.relation, step.source, row_query, q_relation, arch.n_relations, relation
            )
        begin = self._lap("edges", begin)
        frontier, sampling, criteria, kept_rows = reached, None, None, None
        if arch.from_message or arch.mix_criteria:
            criteria = judge(
                w, step, relation, row_query, q_relation, a, p, hidden, self.space, layer,
                from_message=arch.from_message, mix=arch.mix_criteria,
            )  # fmt: skip
        if arch.top_k is not None and arch.from_message:
            assert criteria is not None
            frontier, sampling = sample(logits(criteria), before, reached, n_old, arch.top_k, seed)
            rows = sampling.kept_rows
            indptr, source, relation = select_rows(step.indptr, step.source, relation, rows)
            step = step._replace(
                indptr=indptr, source=source, relation=relation, query=step.query[rows]
            )
            begin = self._lap("sampling", begin)
        n_rows = len(step.query)
        alpha = self.space.array(f"alpha{layer}", len(step.source))
        m = self.space.array(f"m{layer}", n_rows, d)
        x = self.space.array(f"x{layer}", n_rows, d)
        w_h = np.ascontiguousarray(w["W_h"].T)
        for block in blocks(n_rows):
            self.kernels.forward(
                step.indptr[block.start : block.stop + 1], step.source, relation, a, p,
                w["w_alpha"], w["b_alpha"], hidden, w["relation"], alpha, m[block],
            )  # fmt: skip
            begin = self._lap("edges", begin)
            linear(self.form, m[block], w_h, ACTIVATIONS[arch.activation], x[block])
            begin = self._lap("dense", begin)
        x_kept, next_query = x, step.query
        if arch.top_k is not None and not arch.from_message:
            logit = matvec(x, w["w_sample"])
            if criteria is not None:
                criteria.value[:, 0] = logit
                logit = logits(criteria)
            frontier, sampling = sample(logit, before, reached, n_old, arch.top_k, seed)
            kept_rows = sampling.kept_rows
            next_query = step.query[kept_rows]
            x_kept = self.space.array(f"xk{layer}", len(kept_rows), d)
            np.take(x, kept_rows, axis=0, out=x_kept, mode="clip")
            begin = self._lap("sampling", begin)
        if seed is not None and arch.dropout > 0:
            x_kept = self.space.array(f"xk{layer}", len(x_kept), d)
            dropout(x if kept_rows is None else x_kept, arch.dropout, seed, x_kept)

        n_kept = len(x_kept)
        gate = self.space.array(f"gate{layer}", n_kept, 3 * d)
        y_n = self.space.array(f"y{layer}", n_old, d)
        out = self.space.array(f"h{layer + 1}", n_kept, d)
        gru_forward(
            self.form, self.dim, x_kept, hidden, step.previous,
            np.ascontiguousarray(weights["gru.W_ih"].T),
            np.ascontiguousarray(weights["gru.W_hh"].T),
            weights["gru.b_ih"], weights["gru.b_hh"], gate, y_n, out,
        )  # fmt: skip
        self._lap("dense", begin)

        saved = _Layer(
            step, relation, hidden, alpha, a, p, m, x, x_kept, kept_rows, gate, y_n, out,
            sampling, criteria, seed,
        )  # fmt: skip
        self._layers.append(saved)
        counts = self.counts
        counts.rows += n_rows
        counts.nodes += len(reached.node)
        counts.edges += len(step.source)
        counts.edges_visited += step.edges_visited
        dense = n_sources * d * a_dim + n_rows * d * d + n_kept * 3 * d * d + n_old * 3 * d * d
        passes = 1 if seed is None else 3
        of_edges = len(step.source) * (2 * d + a_dim)
        if criteria is not None:
            of_edges += len(criteria.alpha) * (a_dim + 2)
        counts.flops += passes * 2 * (dense + of_edges)
        return frontier, next_query, out

    # ---- backward ----------------------------------------------------------------------------

    def loss_and_gradient(
        self,
        weights: Weights,
        batch: Batch,
        active: npt.NDArray[np.uint8],
        gradient: Weights,
        *,
        train_seed: int,
    ) -> float:
        """Sum of the log-losses of a batch; its gradient is added to ``gradient``."""
        frontier, scores = self.forward(
            weights, batch.head, batch.relation, active, train_seed=train_seed
        )
        begin, scratch = time.perf_counter(), self.scratch
        d_score = self.space.array("d_score", len(scores), zero=True)
        loss = log_loss(
            frontier.ptr, frontier.node, frontier.row, scores, self.n_entities,
            batch.answer_ptr, batch.answer, batch.known_ptr, batch.known,
            scratch.stamp, scratch.position, scratch.tick, d_score,
        )  # fmt: skip
        w, last = weights["readout.w"], self._layers[-1].out
        d_hidden = self.space.array("dh_a", *last.shape)
        if self.architecture.mix_depths:
            d_hidden.fill(0)
            d_gates = np.zeros_like(self._gates)
        else:
            gradient["readout.w"][...] += matvec(last.T, d_score)
            np.multiply(d_score[:, None], w[None, :], out=d_hidden)
        self._lap("loss", begin)
        for layer in reversed(range(len(self._layers))):
            if self.architecture.mix_depths:
                saved = self._layers[layer]
                d_hidden += add_depth_backward(
                    self._depths[layer], layer, saved.out, d_score, d_gates,
                    gradient["readout.w"],
                )[:, None] * w  # fmt: skip
                d_score = to_previous(saved.step.previous, d_score, len(saved.hidden))
            name = "dh_b" if (len(self._layers) - layer) % 2 else "dh_a"
            d_hidden = self._layer_backward(weights, gradient, layer, d_hidden, name)
        if self.architecture.mix_depths:
            d_logit = softmax_backward(self._gates, d_gates)
            np.add.at(gradient["readout.depth"], self._q_relation, d_logit)
        return float(loss)

    def _layer_backward(
        self, weights: Weights, gradient: Weights, layer: int, d_out: FloatArray, name: str
    ) -> FloatArray:
        arch, saved = self.architecture, self._layers[layer]
        d, step = arch.dim, saved.step
        w = {n: weights[f"layer{layer}.{n}"] for n in
             ("relation", "W_s", "W_r", "W_q", "w_alpha", "W_h", *self.sampler)}  # fmt: skip
        g = {n: gradient[f"layer{layer}.{n}"] for n in
             ("relation", "W_s", "W_r", "W_q", "b_q", "w_alpha", "b_alpha", "W_h", *self.sampler)
             }  # fmt: skip

        begin = time.perf_counter()
        n_sources = len(saved.hidden)
        d_hidden = self.space.array(name, n_sources, d, zero=True)
        d_kept = self.space.array("d_kept", *saved.x_kept.shape)
        gru_backward(
            self.form, self.dim, saved.x_kept, saved.hidden, step.previous, weights["gru.W_ih"],
            weights["gru.W_hh"], weights["gru.b_hh"], saved.gate, saved.y_n, d_out,
            d_kept, d_hidden, gradient["gru.W_ih"], gradient["gru.W_hh"], gradient["gru.b_ih"],
            gradient["gru.b_hh"],
        )  # fmt: skip
        if arch.dropout > 0:
            dropout(d_kept, arch.dropout, saved.seed, d_kept)
        d_x = d_kept
        d_a = self.space.array("d_a", n_sources, arch.attention_dim, zero=True)
        d_p = self.space.array("d_p", *saved.p.shape, zero=True)
        if saved.sampling is not None:
            begin = self._lap("dense", begin)
            d_x = self._sampling_backward(w, g, saved, d_kept, d_a, d_p, d_hidden)
            begin = self._lap("sampling", begin)
        d_m = self.space.array("d_m", BLOCK, d)
        for block in blocks(len(d_x)):
            d_block = d_m[: block.stop - block.start]
            linear_backward(
                self.form, saved.m[block], w["W_h"], ACTIVATIONS[arch.activation],
                saved.x[block], d_x[block], d_block, g["W_h"],
            )  # fmt: skip
            begin = self._lap("dense", begin)
            self.kernels.backward(
                step.indptr[block.start : block.stop + 1], step.source, saved.relation, saved.a,
                saved.p, saved.hidden, w["relation"], saved.alpha, d_block,
                d_a, d_p, g["b_alpha"], d_hidden, g["relation"],
            )  # fmt: skip
            begin = self._lap("edges", begin)

        g["w_alpha"][...] += projection_gradients(saved.a, saved.p, w["w_alpha"], d_a, d_p)
        matmul(d_p.T, w["relation"], g["W_r"], add=True)
        matmul(d_p, w["W_r"], g["relation"], add=True)
        matmul(d_a.T, saved.hidden, g["W_s"], add=True)
        matmul(d_a, w["W_s"], d_hidden, add=True)
        # the query part of a: rows → query relations
        q_relation = self._q_relation
        row_query = np.arange(len(q_relation)) if layer == 0 else self._row_query(layer - 1)
        d_q = np.zeros((len(q_relation), arch.attention_dim), self.dtype)
        add_rows(row_query, d_a, d_q)
        g["b_q"][...] += d_q.sum(0)
        g["W_q"][...] += d_q.T @ w["relation"][q_relation]
        np.add.at(g["relation"], q_relation, d_q @ w["W_q"])
        self._lap("dense", begin)
        return d_hidden

    def _sampling_backward(
        self,
        w: dict[str, FloatArray],
        g: dict[str, FloatArray],
        saved: _Layer,
        d_kept: FloatArray,
        d_a: FloatArray,
        d_p: FloatArray,
        d_hidden: FloatArray,
    ) -> FloatArray:
        """Gradient of x, with that of the sampler's factors where it reads states."""
        sampling = saved.sampling
        assert sampling is not None
        share = self.space.array("share", len(sampling.logit), zero=True)
        d_x = d_kept
        if saved.kept_rows is None:
            factor_gradients(sampling.kept_rows, sampling.members, saved.x, d_kept, share)
        else:
            d_x = self.space.array("d_x", *saved.x.shape)
            scatter_kept(saved.kept_rows, sampling.members, saved.x, d_kept, d_x, share)
        d_learned = sample_backward(sampling, share)
        if saved.criteria is not None:
            d_learned = judge_backward(
                w, g, saved.criteria, self._q_relation, saved.hidden, d_learned, d_a, d_p, d_hidden
            )
        if saved.kept_rows is not None:
            g["w_sample"][...] += matvec(saved.x.T, d_learned)
            add_outer(d_learned, w["w_sample"], d_x)
        return d_x

    def _row_query(self, layer: int) -> IntArray:
        saved = self._layers[layer]
        query = saved.step.query
        return query if saved.kept_rows is None else query[saved.kept_rows]
