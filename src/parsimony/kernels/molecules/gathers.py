"""Sums of gathered rows, without materialising the gathered copies.

    out_i = Σ_{e of i} x[index_e]        added rows: out_m += Σ_{i: index_i = m} x_i

For an atom and its neighbours this is the message of a GIN with a self-loop; for the atoms of a
molecule, their sum. The backward pass adds each gradient to the gathered rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


@kernel
def gathered_sum(indptr, index, x, out):  # type: ignore[no-untyped-def]
    """Write the sums of gathered rows.

    IN  indptr (n + 1,) index (m,) rows of x; x (n_x, d)
    OUT out (n, d)
    """
    d = x.shape[1]
    for i in range(indptr.shape[0] - 1):
        o = out[i]
        for k in range(d):
            o[k] = 0
        for e in range(indptr[i], indptr[i + 1]):
            a = x[index[e]]
            for k in range(d):
                o[k] += a[k]


@kernel
def gathered_sum_backward(indptr, index, d_out, d_x):  # type: ignore[no-untyped-def]
    """Add the gradients of the sums to the gathered rows of d_x."""
    d = d_x.shape[1]
    for i in range(indptr.shape[0] - 1):
        g = d_out[i]
        for e in range(indptr[i], indptr[i + 1]):
            a = d_x[index[e]]
            for k in range(d):
                a[k] += g[k]


@kernel
def add_rows(index, x, out):  # type: ignore[no-untyped-def]
    """Add row i of x to row index[i] of out, including duplicates.

    IN  index (n,) x (n, d)
    OUT out (m, d)
    """
    for i in range(index.shape[0]):
        to = out[index[i]]
        for k in range(x.shape[1]):
            to[k] += x[i, k]


def gathered_sum_reference(indptr: IntArray, index: IntArray, x: FloatArray) -> FloatArray:
    """Reference implementation of :func:`gathered_sum`."""
    out: FloatArray = np.zeros((len(indptr) - 1, x.shape[1]), x.dtype)
    np.add.at(out, np.repeat(np.arange(len(out)), np.diff(indptr)), x[index])
    return out


def gathered_sum_backward_reference(
    indptr: IntArray, index: IntArray, d_out: FloatArray, n: int
) -> FloatArray:
    """Reference implementation of :func:`gathered_sum_backward`, for n rows of x."""
    d_x: FloatArray = np.zeros((n, d_out.shape[1]), d_out.dtype)
    np.add.at(d_x, index, d_out[np.repeat(np.arange(len(d_out)), np.diff(indptr))])
    return d_x


def add_rows_reference(index: npt.NDArray[np.int32], x: FloatArray, out: FloatArray) -> None:
    """Reference implementation of :func:`add_rows`."""
    np.add.at(out, index, x)
