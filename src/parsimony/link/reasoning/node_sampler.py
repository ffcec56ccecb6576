"""AdaProp's sampler within a layer: which newly reached nodes stay, and what that teaches it.

    p = softmax(z + Gumbel noise) over the new nodes,   the K largest stay
    ĥ_o ← ĥ_o (1 − stopgrad(p_o) + p_o)

(docs/methods/adaprop.md, eqs. 2–4). The factor is 1 in value; its gradient is the sampler's.
The logits z are w_s · ĥ (eq. 1) or what criteria.py makes of the in-edges.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.redgnn.frontier import Frontier
from parsimony.kernels.redgnn.sampling import prune, top_k_backward, top_k_new

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int32]


class Sampling(NamedTuple):
    """What the backward pass reads."""

    before_ptr: npt.NDArray[np.int64]  # (n_queries + 1,) frontier before the step
    after: Frontier  # before pruning
    logit: FloatArray  # (n_rows,)
    noise: FloatArray  # (n_nodes,) or empty
    keep: npt.NDArray[np.uint8]  # (n_nodes,)
    kept_rows: IntArray  # (n_kept,)
    members: IntArray  # (n_rows,) kept new nodes of every row


def sample(
    logit: FloatArray, before: Frontier, after: Frontier, n_old: int, k: int, seed: int | None
) -> tuple[Frontier, Sampling]:
    """Keep the K newly reached nodes of every query with the largest logits.

    Parameters
    ----------
    logit
        (n_rows,) z of the step's rows, the first ``n_old`` of which are kept anyway.
    seed
        Of the Gumbel noise; None in evaluation, without noise.

    Returns
    -------
    frontier, sampling
        The frontier of what stays, in new row numbers.
    """
    noise = np.empty(0, logit.dtype)
    if seed is not None:
        rng = np.random.default_rng([seed, 1])
        noise = rng.standard_exponential(len(after.node)).astype(logit.dtype)
        np.maximum(noise, np.finfo(logit.dtype).tiny, out=noise)
        np.log(noise, out=noise)
        np.negative(noise, out=noise)  # −log E is a standard Gumbel variable
    keep = np.zeros(len(after.node), np.uint8)
    n_kept = top_k_new(before.ptr, after.ptr, after.row, logit, noise, k, keep)
    ptr, node, row, kept_rows, members = prune(
        before.ptr, after.ptr, after.node, after.row, keep, n_old, len(logit), n_kept
    )
    sampling = Sampling(before.ptr, after, logit, noise, keep, kept_rows, members)
    return Frontier(ptr, node, row), sampling


def sample_backward(sampling: Sampling, share: FloatArray) -> FloatArray:
    """Gradient of the logits from that of the straight-through factors.

    Parameters
    ----------
    share
        (n_rows,) ⟨∂L/∂ĥ, ĥ⟩ of the row per kept new node.
    """
    d_logit = np.zeros(len(share), np.float64)
    after = sampling.after
    top_k_backward(
        sampling.before_ptr, after.ptr, after.row, sampling.logit, sampling.noise, sampling.keep,
        share, d_logit,
    )  # fmt: skip
    return d_logit.astype(share.dtype)
