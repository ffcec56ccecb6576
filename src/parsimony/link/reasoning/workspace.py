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
BLOCK = 1024


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


def blocks(n: int) -> list[slice]:
    """Row blocks whose messages stay in the cache between the kernels of a layer."""
    return [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]


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
