"""The pair flow as a differentiable operation, shared out over threads.

Threads take shares of a batch's pairs, of even cost, and add gradients of shared parameters to
arrays of their own, which are summed in the threads' order: equal numbers for equal thread counts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.errors import InvalidParameter
from parsimony.kernels.emergnn.flow import backward, forward
from parsimony.kernels.emergnn.graph import ActiveGraph
from parsimony.kernels.emergnn.screen import around
from parsimony.kernels.products import one_blas_thread

LAYERS = 3
SHARED = 6  # pairs
IntArray = npt.NDArray[np.int64]


class PairFlow:
    """h_{u→v} and h_{v→u} of batches of ordered pairs.

    Parameters
    ----------
    threads
        How many pairs are worked on at once.
    """

    def __init__(self, threads: int = 1) -> None:
        if threads < 1:
            raise InvalidParameter(f"threads must be at least 1. Got {threads}")
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        #: (n, 4) path edges and merged entries of u→v, then of v→u, of the last batch
        self.size_: npt.NDArray[np.int64] = np.empty((0, 4), np.int64)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def shares(self, graph: ActiveGraph, pairs: npt.NDArray[np.int32]) -> list[IntArray]:
        """Rows of the pairs for every thread: the dearest first, each to the least busy."""
        n = len(pairs)
        if self.threads == 1 or n < 2:
            return [np.arange(n)] if n else []
        cost = graph.reach[pairs].min(1)
        shares: list[list[int]] = [[] for _ in range(self.threads)]
        busy = [0] * self.threads
        for row in np.argsort(-cost, kind="stable").tolist():
            least = busy.index(min(busy))
            shares[least].append(row)
            busy[least] += int(cost[row])
        return [np.array(sorted(share)) for share in shares if share]

    def map(self, function: Any, shares: list[IntArray]) -> list[Any]:
        """Apply a function to every share, in threads."""
        with one_blas_thread():
            if self._pool is None or len(shares) < 2:
                return [function(share) for share in shares]
            return list(self._pool.map(function, shares))

    def __call__(
        self,
        graph: ActiveGraph,
        pairs: npt.NDArray[np.int32],
        f: Tensor,
        alpha: Tensor,
        e: Tensor,
        w: Tensor,
        b: Tensor | None,
        hidden: npt.NDArray[np.uint8] | None = None,
    ) -> Tensor:
        """Return (n, 2, dim): h_{u→v} and h_{v→u}; differentiable.

        Parameters
        ----------
        graph
            What is visible.
        pairs
            (n, 2) int32 entities (u, v).
        f
            (n, 2, dim) features f_u and f_v.
        alpha
            (n, 3, 2R + 1) weights of the message relations.
        e
            (3, 2R + 1, dim) relation vectors.
        w
            (3, dim, dim) the layers' matrices.
        b
            (3, dim) biases, or None.
        hidden
            (n,) which interactions each pair hides, a sum of ``HIDE_FIRST``, ``HIDE_SECOND`` and
            ``HIDE_BETWEEN``; none by default. Only without biases and normalisation: both read
            in-degrees, which count every edge.

        Raises
        ------
        InvalidParameter
            Shapes that do not belong together, a pair outside the graph.
        """
        pairs = np.ascontiguousarray(pairs)  # another order would compile the kernels once more
        n, dim, messages = len(pairs), f.shape[-1], graph.n_messages
        expected: dict[str, tuple[Tensor, tuple[int, ...]]] = {
            "f": (f, (n, 2, dim)),
            "alpha": (alpha, (n, LAYERS, messages)),
            "e": (e, (LAYERS, messages, dim)),
            "w": (w, (LAYERS, dim, dim)),
        }
        if b is not None:
            expected["b"] = (b, (LAYERS, dim))
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape or tensor.dtype != f.dtype:
                raise InvalidParameter(
                    f"{name} must be {f.dtype} of shape {shape}. "
                    f"Got {tensor.dtype} of shape {tuple(tensor.shape)}"
                )
        if n and (pairs.min() < 0 or pairs.max() >= graph.n_entities):
            raise InvalidParameter(
                f"a pair names an entity outside 0 … {graph.n_entities - 1:,}",
                remedy="pairs hold entity ids of this graph",
            )
        biased = b is not None
        if hidden is None:
            hidden = np.zeros(n, np.uint8)
        elif hidden.any() and (biased or graph.normalised):
            raise InvalidParameter(
                "edges can be hidden only without biases and normalisation",
                remedy="bias=false, normalise=none, or simulate emergence by a bitmap",
            )
        bias = b if b is not None else torch.zeros(LAYERS, dim, dtype=f.dtype)
        drug = None if torch.is_grad_enabled() else common_drug(pairs)
        if drug is not None:
            return self._around(graph, drug, pairs, hidden, biased, f, alpha, e, w, bias)
        result: Tensor = _Flow.apply(self, graph, pairs, hidden, biased, f, alpha, e, w, bias)
        return result

    def _around(
        self,
        graph: ActiveGraph,
        drug: int,
        pairs: npt.NDArray[np.int32],
        hidden: npt.NDArray[np.uint8],
        biased: bool,
        *tensors: Tensor,
    ) -> Tensor:
        """Pairs of one drug with others, sharing what belongs to it; not differentiable."""
        f, alpha, e, w, b = (x.detach().contiguous().numpy() for x in tensors)
        wt = np.ascontiguousarray(w.transpose(0, 2, 1))
        out = np.zeros_like(f)
        other = pairs.sum(1) - drug
        order = np.argsort(other, kind="stable")
        _, part = np.unique(other[order], return_inverse=True)
        shares = [order[part % self.threads == k] for k in range(self.threads)]

        def share(rows: IntArray) -> None:
            around(
                f.shape[-1], *graph.arrays(), drug, rows, pairs, hidden, f, alpha, e, w, wt, b,
                biased, out,
            )  # fmt: skip

        self.map(share, [rows for rows in shares if len(rows)])
        return torch.from_numpy(out)


def common_drug(pairs: npt.NDArray[np.int32]) -> int | None:
    """Return the drug that all pairs have in common, where they are enough for sharing to pay."""
    if len(pairs) >= SHARED:
        for drug in pairs[0].tolist():
            if (pairs == drug).any(1).all():
                return int(drug)
    return None


class _Flow(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, flow, graph, pairs, hidden, biased, f, alpha, e, w, b
    ) -> Tensor:
        inputs = [x.detach().contiguous() for x in (f, alpha, e, w, b)]
        ctx.save_for_backward(*inputs)
        shares = flow.shares(graph, pairs)
        ctx.rest = flow, graph, pairs, hidden, biased, shares
        f, alpha, e, w, b = (x.numpy() for x in inputs)
        wt = np.ascontiguousarray(w.transpose(0, 2, 1))
        out = np.zeros_like(f)
        size = np.zeros((len(pairs), 4), np.int64)
        dim = f.shape[-1]

        def share(rows: IntArray) -> None:
            forward(
                dim, *graph.arrays(), rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out, size
            )

        flow.map(share, shares)
        flow.size_ = size
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx, *gradients):  # type: ignore[no-untyped-def]
        flow, graph, pairs, hidden, biased, shares = ctx.rest
        f, alpha, e, w, b = (x.numpy() for x in ctx.saved_tensors)
        d_out = gradients[0].contiguous().numpy()
        wt = np.ascontiguousarray(w.transpose(0, 2, 1))
        d_f, d_alpha = np.zeros_like(f), np.zeros_like(alpha)
        dim = f.shape[-1]

        def share(rows: IntArray) -> list[npt.NDArray[Any]]:
            shared = [np.zeros_like(x) for x in (e, wt, b)]
            backward(
                dim, *graph.arrays(), rows, pairs, hidden, f, alpha, e, w, wt, b, biased, d_out,
                d_f, d_alpha, *shared,
            )  # fmt: skip
            return shared

        sums = [np.zeros_like(x) for x in (e, wt, b)]
        for shared in flow.map(share, shares):
            for total, part in zip(sums, shared, strict=True):
                total += part
        d_e, d_wt, d_b = sums
        d_w = np.ascontiguousarray(d_wt.transpose(0, 2, 1))
        found = [torch.from_numpy(x) for x in (d_f, d_alpha, d_e, d_w, d_b)]
        return (None, None, None, None, None, *found)
