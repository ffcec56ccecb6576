"""The query-dependent relation graph of PAR and PACIA, supports shared and pairs packed.

Nodes of a graph are the S supports and one query. In every layer

    A_ij = σ(φ(exp(−|x_i − x_j|)))   i ≠ j,  A_ii = 0;  the k largest of each row kept, rows summing
                                     to 1
    x_i ← LeakyReLU(W₁ x_i + Σ_j A_ij W₂ x_j)

(docs/methods/par.md, eqs. 3–5; PAR, NeurIPS 2021, eqs. 6–8.) What is equal is computed once: in the
first layer the pairs of supports belong to all queries; A is symmetric before rows are cut, so each
pair is scored once; of the last layer PAR reads the query alone, which needs its own S pairs and no
others.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from parsimony.kernels.molecules.pair_features import pair_features, pair_features_backward

__all__ = ["Related", "Relation", "relation_reference"]

SLOPE = 0.01  # of LeakyReLU


class Related(NamedTuple):
    """Graphs after a layer, for T tasks with Q queries each.

    Attributes
    ----------
    queries
        States of the queries, (T, Q, d).
    supports
        States of the supports beside every query, (T, Q, S, d); None in the last layer of PAR.
    raw
        A of query and supports before rows are cut, (T, Q, S).
    weights
        The query's row of A, cut and summing to 1, (T, Q, S).
    """

    queries: Tensor
    supports: Tensor | None
    raw: Tensor
    weights: Tensor


class RelationLayer(nn.Module):
    """φ and W of one layer.

    Parameters
    ----------
    width, edge_width
        Of states, and of φ's hidden layer.
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.edge = nn.Sequential(
            nn.Linear(width, edge_width, bias=False), nn.LeakyReLU(SLOPE),
            nn.Linear(edge_width, width, bias=False), nn.LeakyReLU(SLOPE),
            nn.Linear(width, 1),
        )  # fmt: skip
        self.own = nn.Linear(width, width, bias=False)
        self.other = nn.Linear(width, width, bias=False)

    def strength(self, features: Tensor) -> Tensor:
        """A of pairs from their features (…, d)."""
        found: Tensor = self.edge(features)[..., 0].sigmoid()
        return found


class Relation(nn.Module):
    """Layers of the relation graph.

    Parameters
    ----------
    layers, width, edge_width
        Published: 2 × 128, φ 256 wide.
    dropout
        Of the nodes that enter; a support has one mask for all queries.
    """

    def __init__(self, layers: int, width: int, edge_width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(RelationLayer(width, edge_width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    @property
    def rounds(self) -> list[RelationLayer]:
        """The layers, the first one first."""
        return cast(list[RelationLayer], list(self.layers))

    def among_supports(self, supports: Tensor, keep: int) -> tuple[Tensor, Tensor]:
        """Relate the supports alone, without a query.

        Parameters
        ----------
        supports : (T, S, d)
        keep
            Entries of a row that are kept.

        Returns
        -------
        states, raw
            (T, S, d), and A of the last layer before rows are cut, (T, S, S).
        """
        x, n = self.dropout(supports), supports.shape[-2]
        first, second = _pairs(n)
        raw = x.new_zeros(*x.shape[:-1], n)
        for layer in self.rounds:
            # Plain operations: the inner step of MAML is differentiated twice.
            a = layer.strength(torch.exp(-(x[..., first, :] - x[..., second, :]).abs()))
            raw = _square(a, n)
            x = functional.leaky_relu(layer.own(x) + _rows(raw, keep) @ layer.other(x), SLOPE)
        return x, raw

    def forward(self, supports: Tensor, queries: Tensor, keep: int) -> Related:
        """Relate every query to the supports (T, S, d), (T, Q, d); read the queries alone."""
        *_, last = self.every(supports, queries, keep, query_alone=True)
        return last

    def every(
        self, supports: Tensor, queries: Tensor, keep: int, *, query_alone: bool = False
    ) -> Iterator[Related]:
        """Yield the graphs after each layer; ``query_alone``: the last for the query alone."""
        x_s, x_q = self.dropout(supports)[:, None], self.dropout(queries)
        n = supports.shape[-2]
        first, second = _pairs(n)
        for number, layer in enumerate(self.rounds):
            alone = query_alone and number == len(self.layers) - 1
            a_q = layer.strength(_across(x_q, x_s))
            other = layer.other(x_s)
            if alone:
                weights = _rows(a_q[..., None, :], keep)[..., 0, :]
                message = _mix(weights[..., None, :], other)[..., 0, :]
                x_q = functional.leaky_relu(layer.own(x_q) + message, SLOPE)
                yield Related(x_q, None, a_q, weights)
                return
            a_s = layer.strength(_within(x_s, first, second))
            a = _square(torch.cat([a_s.expand(*a_q.shape[:2], -1), a_q], -1), n + 1)
            rows = _rows(a, keep)
            message = _mix(rows[..., :n], other) + rows[..., n:] * layer.other(x_q)[..., None, :]
            weights = rows[..., n, :n]
            x_q = functional.leaky_relu(layer.own(x_q) + message[..., n, :], SLOPE)
            x_s = functional.leaky_relu(layer.own(x_s) + message[..., :n, :], SLOPE)
            yield Related(x_q, x_s, a_q, weights)


# ---- pairs -----------------------------------------------------------------------------------


class _PairFeatures(torch.autograd.Function):
    """exp(−|x_i − y_j|) of listed rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, first: Any, second: Any) -> Tensor:
        x, y = x.contiguous(), y.contiguous()
        out = torch.empty(len(first), x.shape[1], dtype=x.dtype)
        pair_features(first, second, x.numpy(), y.numpy(), out.numpy())
        ctx.save_for_backward(x, y, out)
        ctx.rows = first, second
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, y, out = ctx.saved_tensors
        d_x, d_y = torch.zeros_like(x), torch.zeros_like(y)
        pair_features_backward(
            *ctx.rows, *(v.numpy() for v in (x, y, out, d_out.contiguous(), d_x, d_y))
        )
        return d_x, d_y, None, None


def _across(queries: Tensor, supports: Tensor) -> Tensor:
    """Features of each query and each support: (T, Q, d), (T, 1 or Q, S, d) → (T, Q, S, d)."""
    t, q, d = queries.shape
    beside, s = supports.shape[1], supports.shape[2]
    first, second = _crossed(t, q, beside, s)
    flat = _PairFeatures.apply(queries.reshape(-1, d), supports.reshape(-1, d), first, second)
    found: Tensor = flat.view(t, q, s, d)
    return found


def _within(supports: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Features of the pairs of supports: (T, 1 or Q, S, d) → (T, 1 or Q, P, d)."""
    t, q, s, d = supports.shape
    at = np.arange(t * q)[:, None] * s
    flat = supports.reshape(-1, d)
    rows = ((at + part.numpy()).ravel() for part in (first, second))
    found: Tensor = _PairFeatures.apply(flat, flat, *rows).view(t, q, -1, d)
    return found


@cache
def _pairs(n: int) -> tuple[Tensor, Tensor]:
    """All pairs i < j of n nodes; those of the first n − 1 come first, whatever n is."""
    second, first = np.tril_indices(n, -1)
    return torch.from_numpy(first), torch.from_numpy(second)


def _crossed(t: int, q: int, beside: int, s: int) -> tuple[Any, Any]:
    first = np.repeat(np.arange(t * q), s)
    graph = np.arange(t * q) if beside == q else np.repeat(np.arange(t), q)
    return first, (graph[:, None] * s + np.arange(s)).ravel()


@cache
def _places(n: int) -> Tensor:
    """Where each entry of a symmetric matrix stands among its packed pairs; zeros behind them."""
    first, second = _pairs(n)
    places = torch.full((n, n), len(first))
    places[first, second] = places[second, first] = torch.arange(len(first))
    return places


def _square(packed: Tensor, n: int) -> Tensor:
    """A symmetric matrix with zeros on its diagonal, (…, n, n), from packed pairs."""
    return functional.pad(packed, (0, 1))[..., _places(n)]


def _rows(a: Tensor, keep: int) -> Tensor:
    """Keep the largest entries of each row, and let rows sum to 1."""
    if keep < a.shape[-1]:
        chosen = a.detach().topk(keep, -1).indices
        a = a * torch.zeros_like(a).scatter(-1, chosen, 1.0)
    return a / a.sum(-1, keepdim=True).clamp_min(1e-12)


def _mix(weights: Tensor, states: Tensor) -> Tensor:
    """Σ_j w_j x_j: (T, Q, n, S), (T, 1 or Q, S, d) → (T, Q, n, d)."""
    if states.shape[1] == weights.shape[1]:
        return weights @ states
    t, q, n, s = weights.shape
    return (weights.reshape(t, q * n, s) @ states[:, 0]).view(t, q, n, -1)


# ---- the plain twin --------------------------------------------------------------------------


def relation_reference(
    relation: Relation, supports: Tensor, queries: Tensor, keep: int
) -> list[Related]:
    """The plain twin of :meth:`Relation.every`: one dense graph per query, supports copied to each.

    Without dropout.
    """
    t, q, d = queries.shape
    n = supports.shape[1]
    x = torch.cat([supports[:, None].expand(t, q, n, d), queries[:, :, None]], 2)
    found = []
    off = 1 - torch.eye(n + 1, dtype=x.dtype)
    for layer in relation.rounds:
        features = torch.exp(-(x[:, :, :, None] - x[:, :, None]).abs())
        raw = layer.strength(features) * off
        kept = torch.zeros_like(raw).scatter(-1, raw.topk(min(keep, n + 1), -1).indices, 1.0) * raw
        rows = kept / kept.sum(-1, keepdim=True).clamp_min(1e-12)
        x = functional.leaky_relu(layer.own(x) + layer.other(rows @ x), SLOPE)
        found.append(Related(x[:, :, n], x[:, :, :n], raw[:, :, n, :n], rows[:, :, n, :n]))
    return found
