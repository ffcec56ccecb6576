"""The modulated predictor of ColdNAS: a hypernetwork reads a user's support and bends the layers.

Shapes: a block has B users with n ratings each, padded, and two masks, of support and query. Both
are embedded by one gather of rows; nothing is ever one-hot. Source: ColdNAS, WWW 2023 (arXiv
2306.03387), section 3; equations and departures are in ``docs/methods/coldnas.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.knowledge.formula import OPERATORS, POSITIONS, Formula, modulate
from parsimony.ratings.data import Features
from parsimony.ratings.item_statistics import N_EVIDENCE, Statistics
from parsimony.ratings.task import UserTask

__all__ = ["Block", "Modulated", "block_of"]

_ORDER = tuple(OPERATORS)
Gates = Formula | Tensor


@dataclass(frozen=True)
class Block:
    """Padded ratings of some users.

    Attributes
    ----------
    items : int64 tensor, shape (B, n)
    users : int64 tensor, shape (B,)
        −1 for a user who is not in the data.
    ratings, support, query : float tensors, shape (B, n)
        Ratings in [0, 1]; masks of 1 and 0; all 0 where padded.
    own : float tensor, shape (B, n, 3)
    liked, both, count : float tensors, shape (B, n, n)
        Of :class:`parsimony.ratings.item_statistics.Statistics`.
    """

    items: Tensor
    users: Tensor
    ratings: Tensor
    support: Tensor
    query: Tensor
    own: Tensor
    liked: Tensor
    both: Tensor
    count: Tensor

    def take(self, rows: npt.NDArray[np.int64]) -> Block:
        """Return some of the users."""
        at = torch.from_numpy(rows)
        return Block(**{name: part[at] for name, part in vars(self).items()})

    def redraw(self, drawn: np.random.Generator, smallest: int, largest: int) -> Block:
        """Return the same users with other supports, of sizes drawn between two numbers."""
        there = ((self.support + self.query) > 0).numpy()
        counts = there.sum(1)
        keys = np.where(there, drawn.random(there.shape), 2.0)
        place = keys.argsort(1).argsort(1)
        sizes = drawn.integers(smallest, largest + 1, len(counts))
        sizes = np.clip(sizes, 0, np.maximum(counts - 1, 0))
        support = torch.from_numpy((there & (place < sizes[:, None])).astype(np.float32))
        query = torch.from_numpy(there.astype(np.float32)) - support
        return replace(self, support=support, query=query)

    def evidence(self) -> Tensor:
        """What others' ratings say of each item in the light of the support, (B, n, 8)."""
        yes = (self.support * self.ratings)[:, None]
        no = (self.support * (1 - self.ratings))[:, None]
        near = self.liked * yes
        pairs = [
            near.sum(-1), (self.liked * no).sum(-1), near.amax(-1),
            torch.log1p((self.count * yes).sum(-1)), (self.both * (yes - no)).sum(-1),
        ]  # fmt: skip
        return torch.cat([self.own, torch.stack(pairs, -1)], -1)


def block_of(tasks: Sequence[UserTask], statistics: Sequence[Statistics]) -> Block:
    """Pad the ratings of some users into a block."""
    shape = (len(tasks), max(len(p.items) for p in tasks))
    flat = {name: np.zeros(shape, np.float32) for name in ("ratings", "support", "query")}
    items = np.zeros(shape, np.int64)
    own = np.zeros((*shape, 3), np.float32)
    pairs = {n: np.zeros((*shape, shape[1]), np.float32) for n in ("liked", "both", "count")}
    for row, (user, known) in enumerate(zip(tasks, statistics, strict=True)):
        n = len(user.items)
        items[row, :n] = user.items
        flat["ratings"][row, :n] = user.ratings
        flat["support"][row, :n] = ~user.query
        flat["query"][row, :n] = user.query
        own[row, :n] = known.own
        for name, part in pairs.items():
            part[row, :n, :n] = getattr(known, name)
    users = np.array([p.user for p in tasks], np.int64)
    arrays = {"items": items, "users": users, "own": own, **flat, **pairs}
    return Block(**{name: torch.from_numpy(array) for name, array in arrays.items()})


class Rows(nn.Module):
    """Sums of rows of a table: the entity's own row (if wanted), and those of its features."""

    def __init__(self, n: int, features: Features, dim: int, *, itself: bool) -> None:
        super().__init__()
        self.own = nn.Embedding(n + 1, dim) if itself else None  # the last: unknown entities
        self.table = nn.EmbeddingBag(max(len(features.names), 1), dim, mode="sum")
        for module in filter(None, (self.own, self.table)):
            nn.init.normal_(cast(Tensor, module.weight), std=0.01)
        ptr = features.ptr if len(features.ptr) > 1 else np.zeros(n + 1, np.int32)
        self._ptr = torch.from_numpy(np.append(ptr, ptr[-1]).astype(np.int64))
        self._index = torch.from_numpy(features.index.astype(np.int64))
        self._n, self.featured = n, len(features.names) > 0

    def forward(self, rows: Tensor) -> Tensor:
        """Embed entities of any shape (…,) to (…, dim); −1 is an unknown entity."""
        rows = torch.where(rows < 0, self._n, rows)
        found: Tensor = torch.zeros(()) if self.own is None else self.own(rows)
        if self.featured:
            flat, of = torch.unique(rows, return_inverse=True)
            begin = self._ptr[flat]
            times = self._ptr[flat + 1] - begin
            offsets = torch.cumsum(times, 0) - times
            place = torch.arange(int(times.sum())) + torch.repeat_interleave(begin - offsets, times)
            found = found + self.table(self._index[place], offsets)[of]
        return found


class Modulated(nn.Module):
    """ŷ = sigmoid(F(x; φ_u)): layers modulated at every position by vectors of the user.

    Parameters
    ----------
    items, users
        How many there are.
    item_features, user_features
        Their features; a user's own id says nothing about a new user and is not used.
    dim
        Width of an item's, and of a user's, embedding.
    hidden
        Widths of the three hidden layers; positions are the input and these.
    context
        Width of the user's context c_u.
    dropout
        On embeddings, contexts and hidden states.
    item_dropout
        Probability that an item's embedding is dropped in training, so that its evidence must
        suffice (DropoutNet, NeurIPS 2017): the embedding otherwise memorises the few ratings.
    pooling
        How the support becomes a context: "mean", as published, or "attention", a weighted mean.
    evidence
        Whether what others' ratings say of an item is an input.
    """

    center: Tensor
    spread: Tensor

    def __init__(
        self, items: int, users: int, item_features: Features, user_features: Features, *,
        dim: int, hidden: Sequence[int], context: int, dropout: float, item_dropout: float,
        pooling: str,
        evidence: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.items = Rows(items, item_features, dim, itself=True)
        featured = len(user_features.names) > 0
        self.users = Rows(users, user_features, dim, itself=False) if featured else None
        width = dim * (2 if featured else 1) + N_EVIDENCE
        self.widths = (width, *hidden)
        self.read = nn.Linear(width + 1, context)
        self.weigh = nn.Linear(context, 1) if pooling == "attention" else None
        self.write = nn.Linear(context, len(_ORDER) * sum(self.widths))
        nn.init.normal_(self.write.weight, std=0.02)
        nn.init.zeros_(self.write.bias)
        self.layers = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(self.widths, (*hidden, 1), strict=True)
        )
        self.drop, self.item_dropout = nn.Dropout(dropout), item_dropout
        self.known = float(evidence)
        self.register_buffer("center", torch.zeros(N_EVIDENCE))
        self.register_buffer("spread", torch.ones(N_EVIDENCE))

    def standardise(self, block: Block) -> None:
        """Take mean and standard deviation of the evidence from a block."""
        found = block.evidence()[block.query > 0]
        self.center.copy_(found.mean(0))
        self.spread.copy_(found.std(0, correction=0).clamp_min(1e-3))

    def inputs(self, block: Block) -> Tensor:
        """Concatenate [e_v ; e_u ; evidence] of all items of a block, (B, n, width)."""
        embedded = self.drop(self.items(block.items))
        if self.training:
            embedded = embedded * (torch.rand(*block.items.shape, 1) >= self.item_dropout)
        parts = [embedded]
        if self.users is not None:
            of = self.users(block.users)[:, None].expand(*block.items.shape, -1)
            parts.append(self.drop(of))
        parts.append(self.known * (block.evidence() - self.center) / self.spread)
        return torch.cat(parts, -1)

    def context(self, x: Tensor, block: Block) -> Tensor:
        """c_u of the supports, (B, context), as in eq. 1; 0 where a support is empty."""
        y = 2 * block.ratings[..., None] - 1
        seen = nn.functional.leaky_relu(self.read(torch.cat([x, y], -1)))
        if self.weigh is None:
            weight = block.support / block.support.sum(1, keepdim=True).clamp_min(1)
        else:
            logits = self.weigh(seen).squeeze(-1).masked_fill(block.support == 0, -1e9)
            weight = torch.softmax(logits, 1) * block.support
        found: Tensor = (weight[..., None] * seen).sum(1)
        return found

    def vectors(self, context: Tensor) -> list[dict[str, Tensor]]:
        """φ_u of every position, operator → (B, 1, width), as in eq. 2.

        A context of 0 gives nearly neutral ones: a clip to [−1, 1] that can learn to widen, a
        factor of 1, a shift of 0. Factors are not negative.
        """
        found = []
        parts = self.write(self.drop(context)).split([len(_ORDER) * w for w in self.widths], -1)
        for part, width in zip(parts, self.widths, strict=True):
            low, high, factor, shift = part.view(-1, 1, len(_ORDER), width).unbind(2)
            found.append({
                "max": low - 1, "min": high + 1, "*": nn.functional.relu(1 + factor), "+": shift,
            })  # fmt: skip
        return found

    def start(self, block: Block) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Return what does not depend on the formula: x and φ_u."""
        x = self.inputs(block)
        return x, self.vectors(self.context(x, block))

    def step(self, position: int, state: Tensor) -> Tensor:
        """Map a modulated state to the state of the next position, as in eq. 4."""
        if position:
            state = self.drop(nn.functional.leaky_relu(state))
        found: Tensor = self.layers[position](state)
        return found

    def forward(self, block: Block, gates: Gates) -> Tensor:
        """Logits (B, n) of all items.

        Parameters
        ----------
        gates
            A formula for all users, or a bool tensor (B, positions, operators) with one each.
        """
        state, vectors = self.start(block)
        for position in range(POSITIONS):
            if isinstance(gates, Formula):
                state = gates.apply(position, state, vectors[position])
            else:
                for number, operator in enumerate(_ORDER):
                    there = gates[:, position, number, None, None]
                    changed = modulate(operator, state, vectors[position][operator])
                    state = torch.where(there, changed, state)
            state = self.step(position, state)
        return state.squeeze(-1)
