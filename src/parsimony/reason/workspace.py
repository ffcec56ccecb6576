"""Buffers that keep their pages, and products into them.

Fresh large arrays cost more than the arithmetic on them: each is faulted in page by page.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

FloatArray = npt.NDArray[np.floating[Any]]
BLOCK = 512  # rows whose 3 dim gates stay in a core's cache


class Workspace:
    """Named buffers of one thread, reused from batch to batch."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._buffer: dict[str, FloatArray] = {}

    def array(self, name: str, *shape: int, zero: bool = False) -> FloatArray:
        """A view of the named buffer, grown by half where it is too small."""
        size = math.prod(shape)
        buffer = self._buffer.get(name)
        if buffer is None or buffer.size < size:
            buffer = np.empty(max(size + size // 2, 64), self.dtype)
            self._buffer[name] = buffer
        view = buffer[:size].reshape(shape)
        if zero:
            view.fill(0)
        return view


def block_size(n: int) -> int:
    """Rows of the largest of :func:`blocks`."""
    return BLOCK if n > 2 * BLOCK else n


def blocks(n: int) -> list[slice]:
    """Row blocks whose gates stay in the cache between product and gate kernel.

    Few rows stay together: there the calls cost more than the cache's misses.
    """
    size = max(block_size(n), 1)
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


def matmul(a: FloatArray, b: FloatArray, out: FloatArray, *, add: bool = False) -> FloatArray:
    """Out = a @ b (or += where ``add``), by torch's sgemm without the GIL."""
    target = torch.from_numpy(out)
    if add:
        target.addmm_(torch.from_numpy(a), torch.from_numpy(b))
    else:
        torch.mm(torch.from_numpy(a), torch.from_numpy(b), out=target)
    return out


def matvec(a: FloatArray, x: FloatArray) -> FloatArray:
    """A @ x, by torch: NumPy's own product wakes a pool of threads that spin on."""
    product: FloatArray = torch.mv(torch.from_numpy(a), torch.from_numpy(x)).numpy()
    return product


def add_rows(target: FloatArray, index: npt.NDArray[Any], rows: FloatArray) -> None:
    """target[index] += rows, duplicates included."""
    where = torch.from_numpy(np.ascontiguousarray(index))
    torch.from_numpy(target).index_add_(0, where, torch.from_numpy(rows))
