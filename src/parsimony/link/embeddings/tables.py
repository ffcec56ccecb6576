"""The vectors of entities and relations with their Adagrad state, and their update.

The update is equation 12 of docs/methods/embeddings.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parsimony.kernels.embeddings.adagrad import EPSILON, adagrad_rows


class ThreadPool:
    """Threads that each compute some rows or columns of a kernel; torch uses as many itself."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def run(
        self,
        kernel: Callable[..., Any],
        size: int,
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...] = (),
    ) -> None:
        """Call ``kernel(*inputs, low, high, *outputs)`` on parts that cover 0 … size."""
        if self._pool is None:
            kernel(*inputs, 0, size, *outputs)
            return
        cuts = np.linspace(0, size, self.threads + 1).astype(int).tolist()
        work = [
            self._pool.submit(kernel, *inputs, low, high, *outputs) for low, high in pairwise(cuts)
        ]
        for each in work:
            each.result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Torch's products on so many threads; afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Regulariser:
    """N3 and L2 weights per mention, and the radius of the ball that rows stay in (0: none).

    ``group`` cuts a row into chunks and says which of them share a length in N3.
    """

    n3: float = 0.0
    l2: float = 0.0
    radius: float = 0.0
    group: tuple[int, ...] = (0,)


class Table:
    """Rows of numbers and the sums of their squared gradients, both (n, width)."""

    def __init__(self, weight: Tensor, state: Tensor | None = None) -> None:
        self.weight = weight
        self.state = torch.zeros_like(weight) if state is None else state

    def update(
        self,
        gradient: Tensor,
        row: Tensor,
        mentions: Tensor,
        lr: float,
        regulariser: Regulariser,
        pool: ThreadPool | None,
    ) -> None:
        """Apply one Adagrad step to distinct rows; without a pool by torch's own operations."""
        if pool is None:
            self._update_torch(gradient, row, mentions, lr, regulariser)
            return
        weight, state = self.weight.numpy(), self.state.numpy()
        arrays = (weight, state, gradient.numpy(), row.numpy(), mentions.numpy())
        # In the table's own precision, so that the kernel's loop stays in it.
        numbers = [weight.dtype.type(x) for x in (lr, regulariser.n3, regulariser.l2,
                                                  regulariser.radius)]  # fmt: skip
        pool.run(adagrad_rows, len(row), (*arrays, *numbers, np.array(regulariser.group)))

    def _update_torch(
        self, gradient: Tensor, row: Tensor, mentions: Tensor, lr: float, regulariser: Regulariser
    ) -> None:
        x = self.weight[row]
        group = torch.tensor(regulariser.group, device=x.device)
        same = (group[:, None] == group).to(x.dtype)
        square = x.view(len(x), len(group), -1).square()
        length = torch.einsum("ij,njk->nik", same, square).sqrt().reshape(x.shape)
        pull = 3 * regulariser.n3 * length + 2 * regulariser.l2
        g = gradient + mentions[:, None] * pull * x
        state = self.state[row].addcmul_(g, g)
        x.addcdiv_(g, state.sqrt().add_(EPSILON), value=-lr)
        if regulariser.radius > 0:
            x.div_((x.norm(dim=1, keepdim=True) / regulariser.radius).clamp_(min=1))
        self.weight[row], self.state[row] = x, state
