"""Sums over a graph's neighbours, segments and index lists of rows, without copies of the rows.

    neighbour sum    out_i = x_i + Σ_{j ∈ N(i)} x_j        (GIN with a self-loop)
    segment sum      out_m = Σ_{i ∈ segment m} x_i
    added rows       out_m += Σ_{i: index_i = m} x_i

Bonds have no direction, so the neighbour sum is its own adjoint: the backward pass is the same
kernel applied to the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


@kernel
def neighbour_sum(indptr, source, x, out):  # type: ignore[no-untyped-def]
    """Write x_i plus the sum over its neighbours.

    IN  indptr (n + 1,) source (m,) x (n, d)
    OUT out (n, d)
    """
    d = x.shape[1]
    for i in range(indptr.shape[0] - 1):
        for k in range(d):
            out[i, k] = x[i, k]
        for e in range(indptr[i], indptr[i + 1]):
            j = source[e]
            for k in range(d):
                out[i, k] += x[j, k]


@kernel
def segment_sum(offsets, x, out):  # type: ignore[no-untyped-def]
    """Write the sum of the rows offsets[m] … offsets[m + 1] − 1.

    IN  offsets (n_segments + 1,) x (n, d)
    OUT out (n_segments, d)
    """
    d = x.shape[1]
    for m in range(offsets.shape[0] - 1):
        for k in range(d):
            out[m, k] = 0
        for i in range(offsets[m], offsets[m + 1]):
            for k in range(d):
                out[m, k] += x[i, k]


@kernel
def add_rows(index, x, out):  # type: ignore[no-untyped-def]
    """Add row i of x to row index[i] of out, duplicates included.

    IN  index (n,) x (n, d)
    OUT out (m, d)
    """
    for i in range(index.shape[0]):
        to = out[index[i]]
        for k in range(x.shape[1]):
            to[k] += x[i, k]


def neighbour_sum_reference(indptr: IntArray, source: IntArray, x: FloatArray) -> FloatArray:
    """The readable twin of :func:`neighbour_sum`."""
    out: FloatArray = x.copy()
    np.add.at(out, np.repeat(np.arange(len(x)), np.diff(indptr)), x[source])
    return out


def segment_sum_reference(offsets: IntArray, x: FloatArray) -> FloatArray:
    """The readable twin of :func:`segment_sum`."""
    out: FloatArray = np.zeros((len(offsets) - 1, x.shape[1]), x.dtype)
    np.add.at(out, np.repeat(np.arange(len(out)), np.diff(offsets)), x)
    return out


def add_rows_reference(index: npt.NDArray[np.int32], x: FloatArray, out: FloatArray) -> None:
    """The readable twin of :func:`add_rows`."""
    np.add.at(out, index, x)
