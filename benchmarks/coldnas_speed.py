"""A training step on 32 users: row gathers in padded blocks against one-hot inputs user by user.

    python benchmarks/coldnas_speed.py

Both have the published sizes (32 numbers an embedding, layers of 128, 64, 32, a context of 256, 20
ratings given, 14 asked; inputs are item and user ids, multi-hot of 3,846 + 1,872) with the same
weights, FiLM everywhere, and give the same loss and gradients: forward, backward, no optimiser. One
thread. The other side is plain torch: a dense one-hot row for every rating, a loop over users.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from common import best_of, record
from torch import Tensor, nn

N_ITEMS, N_USERS, DIM, CONTEXT, HIDDEN = 3846, 1872, 32, 256, (128, 64, 32)
B, GIVEN, ASKED, REPEATS = 32, 20, 14, 9
WIDTHS = (2 * DIM, *HIDDEN)


class Model(nn.Module):
    """The published predictor; the two inputs differ only in how they are embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.items = nn.Parameter(0.1 * torch.randn(N_ITEMS, DIM))
        self.users = nn.Parameter(0.1 * torch.randn(N_USERS, DIM))
        self.bias = nn.Parameter(torch.zeros(2 * DIM))
        self.read = nn.Linear(2 * DIM + 1, CONTEXT)
        self.write = nn.Linear(CONTEXT, 4 * sum(WIDTHS))
        self.layers = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(WIDTHS, (*HIDDEN, 1), strict=True)
        )

    def vectors(self, context: Tensor) -> list[Tensor]:
        """Four vectors a position."""
        parts = self.write(context).split([4 * w for w in WIDTHS], -1)
        return [p.unflatten(-1, (4, w)) for p, w in zip(parts, WIDTHS, strict=True)]

    def rest(self, state: Tensor, vectors: list[Tensor]) -> Tensor:
        """FiLM at every position."""
        for layer, vector in zip(self.layers, vectors, strict=True):
            factor, shift = torch.relu(vector[..., 2, :]), vector[..., 3, :]
            if state.dim() == 3:
                factor, shift = factor[:, None], shift[:, None]
            state = layer(nn.functional.leaky_relu(state * factor + shift))
        return torch.sigmoid(state.squeeze(-1))


def gathered(model: Model, items: Tensor, users: Tensor, y: Tensor) -> Tensor:
    """All users at once; support and query in one gather of rows."""
    own = model.users[users][:, None].expand(-1, items.shape[1], -1)
    x = torch.cat([model.items[items], own], -1) + model.bias
    seen = nn.functional.leaky_relu(model.read(torch.cat([x, y[..., None]], -1)[:, :GIVEN]))
    p = model.rest(x[:, GIVEN:], model.vectors(seen.mean(1)))
    return ((p - y[:, GIVEN:]) ** 2).mean()


def one_hot(model: Model, rows: list[tuple[Tensor, Tensor]]) -> Tensor:
    """User by user, from dense one-hot rows (n, 5718)."""
    losses = []
    for dense, y in rows:
        item = dense[:, :N_ITEMS] @ model.items
        x = torch.cat([item, dense[:, N_ITEMS:] @ model.users], -1) + model.bias
        seen = nn.functional.leaky_relu(model.read(torch.cat([x, y[:, None]], -1)[:GIVEN]))
        p = model.rest(x[GIVEN:], model.vectors(seen.mean(0)))
        losses.append(((p - y[GIVEN:]) ** 2).mean())
    return torch.stack(losses).mean()


def main() -> None:
    """Check equality, then time."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = Model()
    n = GIVEN + ASKED
    items = torch.from_numpy(random.integers(0, N_ITEMS, (B, n)))
    users = torch.from_numpy(random.permutation(N_USERS)[:B])
    y = torch.from_numpy(random.integers(0, 2, (B, n)).astype(np.float32))
    rows = []
    for row in range(B):
        dense = torch.zeros(n, N_ITEMS + N_USERS)
        dense[torch.arange(n), items[row]] = 1
        dense[:, N_ITEMS + users[row]] = 1
        rows.append((dense, y[row]))

    def step(loss: Any, *inputs: Any) -> tuple[float, list[Tensor]]:
        model.zero_grad()
        value = loss(model, *inputs)
        value.backward()
        return float(value.detach()), [w.grad.clone() for w in model.parameters()]

    ours, other = step(gathered, items, users, y), step(one_hot, rows)
    differ = max(float((a - b).abs().max()) for a, b in zip(ours[1], other[1], strict=True))
    seconds = {
        "gathered": best_of(lambda: step(gathered, items, users, y), REPEATS),
        "one_hot": best_of(lambda: step(one_hot, rows), REPEATS),
    }
    record("coldnas_speed", {
        "users": B, "given": GIVEN, "asked": ASKED, "seconds": seconds,
        "times": seconds["one_hot"] / seconds["gathered"],
        "loss": ours[0], "loss_difference": abs(ours[0] - other[0]), "gradient_difference": differ,
    })  # fmt: skip


if __name__ == "__main__":
    main()
