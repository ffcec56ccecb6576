"""Torch state in checkpoints: weights by prefix and Adam's moments, as named arrays."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["moments", "part", "restore_moments"]


def part(tensors: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``prefix``, with the prefix removed."""
    return {
        k.removeprefix(prefix): torch.from_numpy(v.copy())
        for k, v in tensors.items()
        if k.startswith(prefix)
    }


def moments(optimizer: torch.optim.Optimizer) -> dict[str, npt.NDArray[Any]]:
    """Return Adam's state by name."""
    return {
        f"adam.{i}.{name}": value.numpy()
        for i, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }


def restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, npt.NDArray[Any]]) -> None:
    """Restore the state of Adam that :func:`moments` returned."""
    state = optimizer.state_dict()
    found: dict[int, dict[str, Tensor]] = {}
    for name, value in part(tensors, "adam.").items():
        number, key = name.split(".")
        found.setdefault(int(number), {})[key] = value
    state["state"] = found
    optimizer.load_state_dict(state)
