"""What newly reached nodes are pruned by (docs/methods/adaprop.md, eqs. 1, 6–9).

The learned logit comes from a node's state, or from a message of one dimension before there is a
state; with ``mix_criteria`` it is one of three, mixed by a gate that the query relation sets:

    z = Σ_c γ_c(q) z_c,   γ(q) = softmax of Γ[q]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from parsimony.kernels.dense import constant
from parsimony.kernels.molecules.gathers import add_rows
from parsimony.kernels.redgnn.candidates import candidate_criteria, candidate_criteria_backward
from parsimony.kernels.redgnn.frontier import Step
from parsimony.link.reasoning.readout import softmax, softmax_backward
from parsimony.link.reasoning.workspace import Workspace, matvec

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int32]


class Criteria(NamedTuple):
    """What the backward pass reads of one step: all its rows, kept or not."""

    step: Step
    relation: IntArray  # (n_edges,) rows of the relation table
    row_query: IntArray  # (n_sources,)
    a: FloatArray
    p: FloatArray
    alpha: FloatArray  # (n_edges,) set where the edge leads to a new row
    y_s: FloatArray  # (n_sources,) or empty
    y_r: FloatArray  # (n_relations,) or empty
    prior_q: FloatArray  # (n_queries, attention_dim)
    prior_r: FloatArray  # (n_relations, attention_dim)
    prior: FloatArray  # (n_queries, n_relations) or empty
    value: FloatArray  # (n_rows, 3)
    gates: FloatArray  # (n_queries, 3) or empty


def judge(
    w: Mapping[str, FloatArray],
    step: Step,
    relation: IntArray,
    row_query: IntArray,
    q_relation: IntArray,
    a: FloatArray,
    p: FloatArray,
    hidden: FloatArray,
    space: Workspace,
    layer: int,
    *,
    from_message: bool,
    mix: bool,
) -> Criteria:
    """Criteria of the new rows of a step; z of the states is the caller's to set in ``value``.

    Parameters
    ----------
    w
        Weights of the layer.
    hidden
        (n_sources, d) states of the step before.
    from_message
        Take the learned logit from a message of one dimension.
    mix
        Compute the other two criteria and their gate.
    """
    none = np.empty(0, space.dtype)
    table, value = w["relation"], space.array(f"criteria{layer}", len(step.query), 3, zero=True)
    y_s, y_r = none, none
    if from_message:
        y_s, y_r = matvec(hidden, w["w_sample"]), matvec(table, w["w_sample"])
    prior_q = prior_r = prior = gates = none.reshape(0, 0)
    if mix:
        prior_q, prior_r = table[q_relation] @ w["W_prior_q"].T, table @ w["W_prior_r"].T
        prior, gates = prior_q @ prior_r.T, softmax(w["criteria"][q_relation])
    alpha = space.array(f"alpha_new{layer}", len(step.source))
    candidate_criteria(
        constant(a.shape[1]), step.indptr, len(step.previous), step.source, relation, row_query,
        a, p, w["w_alpha"], w["b_alpha"], y_s, y_r, prior, alpha, value,
    )  # fmt: skip
    return Criteria(
        step, relation, row_query, a, p, alpha, y_s, y_r, prior_q, prior_r, prior, value, gates
    )


def logits(criteria: Criteria) -> FloatArray:
    """Return z of every row."""
    if not criteria.gates.size:
        return np.ascontiguousarray(criteria.value[:, 0])
    z: FloatArray = (criteria.gates[criteria.step.query] * criteria.value).sum(1)
    return z


def judge_backward(
    w: Mapping[str, FloatArray],
    g: Mapping[str, FloatArray],
    criteria: Criteria,
    q_relation: IntArray,
    hidden: FloatArray,
    d_logit: FloatArray,
    c_a: FloatArray,
    c_p: FloatArray,
    d_hidden: FloatArray,
) -> FloatArray:
    """Add the gradients of everything that :func:`logits` came from, but the states.

    Parameters
    ----------
    d_logit
        (n_rows,) gradient of z.
    c_a, c_p
        Sums that ``projection_gradients`` finishes.

    Returns
    -------
    array (n_rows,)
        The gradient of the learned logit, of states or messages.
    """
    step, table = criteria.step, w["relation"]
    d_value = np.zeros_like(criteria.value)
    if criteria.gates.size:
        query = step.query
        np.multiply(criteria.gates[query], d_logit[:, None], out=d_value)
        d_gates = np.zeros_like(criteria.gates)
        add_rows(query, criteria.value * d_logit[:, None], d_gates)
        np.add.at(g["criteria"], q_relation, softmax_backward(criteria.gates, d_gates))
    else:
        d_value[:, 0] = d_logit
    d_y_s, d_y_r = np.zeros_like(criteria.y_s), np.zeros_like(criteria.y_r)
    d_prior = np.zeros_like(criteria.prior)
    candidate_criteria_backward(
        constant(c_a.shape[1]), step.indptr, len(step.previous), step.source, criteria.relation,
        criteria.row_query, criteria.a, criteria.p, criteria.y_s, criteria.y_r, criteria.prior,
        criteria.alpha, criteria.value, d_value, c_a, c_p, g["b_alpha"], d_y_s, d_y_r, d_prior,
    )  # fmt: skip
    if d_y_r.size:
        g["w_sample"][...] += matvec(hidden.T, d_y_s) + matvec(table.T, d_y_r)
        for d_rows, d_y in ((d_hidden, d_y_s), (g["relation"], d_y_r)):
            torch.from_numpy(d_rows).addr_(torch.from_numpy(d_y), torch.from_numpy(w["w_sample"]))
    if d_prior.size:
        d_q, d_r = d_prior @ criteria.prior_r, d_prior.T @ criteria.prior_q
        g["W_prior_q"][...] += d_q.T @ table[q_relation]
        g["W_prior_r"][...] += d_r.T @ table
        np.add.at(g["relation"], q_relation, d_q @ w["W_prior_q"])
        g["relation"][...] += d_r @ w["W_prior_r"]
    return np.ascontiguousarray(d_value[:, 0])
