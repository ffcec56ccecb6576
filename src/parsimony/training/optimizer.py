"""What an optimiser remembers, as named tensors: the one encoding of all checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["optimizer_state", "restore_optimizer"]


def optimizer_state(optimizer: torch.optim.Optimizer, prefix: str = "") -> dict[str, Tensor]:
    """Return the state of a torch optimiser.

    Its names are ``i.exp_avg``, ``i.exp_avg_sq``, ``i.step`` …, where i numbers the weights in the
    order in which the optimiser was given them.
    """
    return {
        f"{prefix}{i}.{name}": value
        for i, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str = ""
) -> None:
    """Give a torch optimiser what :func:`optimizer_state` returned.

    Raises
    ------
    ValueError, IndexError
        It is of other weights.
    """
    state = optimizer.state_dict()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(prefix):
            number, key = name.removeprefix(prefix).split(".")
            if value.ndim and value.shape != weights[int(number)].shape:
                raise ValueError(f"the optimiser's {name!r} is of shape {tuple(value.shape)}")
            found.setdefault(int(number), {})[key] = value
    state["state"] = found
    optimizer.load_state_dict(state)
