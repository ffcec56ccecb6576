"""AdaProp's sampler within a layer: which newly reached nodes stay, and what that teaches it.

    z_o = w_s · ĥ_o,   p = softmax(z + Gumbel noise) over the new nodes,   the K largest stay
    ĥ_o ← ĥ_o (1 − stopgrad(p_o) + p_o)

(docs/methods/adaprop.md, eqs. 1–4). The factor is 1 in value; its gradient is the sampler's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.redgnn.frontier import Frontier, Step
from parsimony.kernels.redgnn.sampling import (
    add_outer,
    prune,
    scatter_kept,
    top_k_backward,
    top_k_new,
)
from parsimony.link.reasoning.workspace import matvec

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int32]


class Sampling(NamedTuple):
    """What the backward pass reads."""

    before_ptr: npt.NDArray[np.int64]  # (n_queries + 1,) frontier before the step
    logit: FloatArray  # (n_rows,)
    noise: FloatArray  # (n_nodes,) or empty
    keep: npt.NDArray[np.uint8]  # (n_nodes,)
    members: IntArray  # (n_rows,) kept new nodes of every row


def sample(
    w_sample: FloatArray, before: Frontier, step: Step, x: FloatArray, k: int, seed: int | None
) -> tuple[Frontier, IntArray, Sampling]:
    """Keep the K newly reached nodes of every query with the largest logits.

    Parameters
    ----------
    x
        (n_rows, d) ĥ of the step's rows.
    seed
        Of the Gumbel noise; None in evaluation, without noise.

    Returns
    -------
    frontier, kept_rows, sampling
        The frontier of what stays, in new row numbers, and which rows those are.
    """
    after = step.frontier
    logit = matvec(x, w_sample)
    noise = np.empty(0, x.dtype)
    if seed is not None:
        rng = np.random.default_rng([seed, 1])
        noise = rng.standard_exponential(len(after.node)).astype(x.dtype)
        np.maximum(noise, np.finfo(x.dtype).tiny, out=noise)
        np.log(noise, out=noise)
        np.negative(noise, out=noise)  # −log E is a standard Gumbel variable
    keep = np.zeros(len(after.node), np.uint8)
    n_kept = top_k_new(before.ptr, after.ptr, after.row, logit, noise, k, keep)
    ptr, node, row, kept_rows, members = prune(
        before.ptr, after.ptr, after.node, after.row, keep, len(step.previous), len(x), n_kept
    )
    return Frontier(ptr, node, row), kept_rows, Sampling(before.ptr, logit, noise, keep, members)


def sample_backward(
    w_sample: FloatArray,
    sampling: Sampling,
    kept_rows: IntArray,
    step: Step,
    x: FloatArray,
    d_kept: FloatArray,
    d_x: FloatArray,
    share: FloatArray,
    d_w_sample: FloatArray,
) -> None:
    """Undo the selection of rows and add the straight-through factors' gradient.

    Parameters
    ----------
    d_kept
        (n_kept, d) gradient of the kept rows.
    d_x
        (n_rows, d) receives the gradient of ĥ.
    share
        (n_rows,) scratch.
    d_w_sample
        (d,) is added to.
    """
    after = step.frontier
    scatter_kept(kept_rows, sampling.members, x, d_kept, d_x, share)
    d_logit = np.zeros(len(x), np.float64)
    top_k_backward(
        sampling.before_ptr, after.ptr, after.row, sampling.logit, sampling.noise, sampling.keep,
        share, d_logit,
    )  # fmt: skip
    d_logit = d_logit.astype(x.dtype)
    d_w_sample += matvec(x.T, d_logit)
    add_outer(d_logit, w_sample, d_x)
