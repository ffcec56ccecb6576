"""Products of a few hundred rows with a small square matrix, without a library's threads.

A thread works on one drug pair at a time; its matrices have some hundred rows of constant length,
too small to share out. Eight terms of the sum are taken at once, so that a row of the result is
read and written once for eight fused multiply-adds.
"""

from __future__ import annotations

from parsimony.kernels.numerics import kernel

Constant = tuple[tuple[()], ...]


def constant(number: int) -> Constant:
    """Return a number as the length of a tuple of nothing, which the compiler knows.

    Unlike a number from an enclosing function, it does not keep kernels that call kernels from
    being cached on disk.
    """
    return ((),) * number


@kernel
def product(dim, x, matrix, out):  # type: ignore[no-untyped-def]
    """Add x · matrix to ``out``: (n, dim) · (dim, dim)."""
    d = len(dim)
    whole = d - d % 8
    for i in range(x.shape[0]):
        row = out[i]
        for k in range(0, whole, 8):
            x0, x1, x2, x3 = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
            x4, x5, x6, x7 = x[i, k + 4], x[i, k + 5], x[i, k + 6], x[i, k + 7]
            for j in range(d):
                row[j] += (
                    x0 * matrix[k, j] + x1 * matrix[k + 1, j]
                    + x2 * matrix[k + 2, j] + x3 * matrix[k + 3, j]
                    + x4 * matrix[k + 4, j] + x5 * matrix[k + 5, j]
                    + x6 * matrix[k + 6, j] + x7 * matrix[k + 7, j]
                )  # fmt: skip
        for k in range(whole, d):
            x0 = x[i, k]
            for j in range(d):
                row[j] += x0 * matrix[k, j]


@kernel
def outer(dim, x, y, out):  # type: ignore[no-untyped-def]
    """Add xᵀ · y to ``out`` (dim, dim), of x and y (n, dim)."""
    d = len(dim)
    n = x.shape[0]
    most = n - n % 8
    for i in range(0, most, 8):
        for k in range(d):
            row = out[k]
            x0, x1, x2, x3 = x[i, k], x[i + 1, k], x[i + 2, k], x[i + 3, k]
            x4, x5, x6, x7 = x[i + 4, k], x[i + 5, k], x[i + 6, k], x[i + 7, k]
            for j in range(d):
                row[j] += (
                    x0 * y[i, j] + x1 * y[i + 1, j] + x2 * y[i + 2, j] + x3 * y[i + 3, j]
                    + x4 * y[i + 4, j] + x5 * y[i + 5, j]
                    + x6 * y[i + 6, j] + x7 * y[i + 7, j]
                )  # fmt: skip
    for i in range(most, n):
        for k in range(d):
            x0 = x[i, k]
            row = out[k]
            for j in range(d):
                row[j] += x0 * y[i, j]
