"""Attributions of walks of three edges: Σ_k of the product of a factor per edge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.float64]


def walk_shares_reference(
    walks: npt.NDArray[np.int64],
    kind: npt.NDArray[np.int64],
    factor: FloatArray,
    ahead: FloatArray,
    through: FloatArray,
    back: FloatArray,
) -> FloatArray:
    """The oracle of :func:`walk_shares`, with an array of (n_walks, dim)."""
    middle = kind[walks[:, 1]]
    parts = ahead[walks[:, 0]] * through[middle] * back[walks[:, 2]]
    shares: FloatArray = factor[walks[:, 1]] * parts.sum(1)
    return shares


@kernel
def walk_shares(walks, kind, factor, ahead, through, back):  # type: ignore[no-untyped-def]
    """Σ_k ahead · through · back of every walk, times its middle edge's factor.

    IN  walks (n_walks, 3) rows of first, middle and last edges
        kind, factor (n_middle,) relation and factor of a middle edge
        ahead (n_first, dim); through (n_relations, dim); back (n_last, dim)
    OUT (n_walks,)
    """
    n, d = walks.shape[0], ahead.shape[1]
    out = np.empty(n, ahead.dtype)
    for i in range(n):
        m = walks[i, 1]
        x, y, z = ahead[walks[i, 0]], through[kind[m]], back[walks[i, 2]]
        total = factor[m] * 0
        for k in range(d):
            total += x[k] * y[k] * z[k]
        out[i] = factor[m] * total
    return out
