"""Training of modulated predictors: users in batches, supports redrawn, weights averaged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.errors import TrainingDiverged
from parsimony.knowledge.formula import OPERATORS, POSITIONS
from parsimony.ratings.modulated_network import Block, Gates, Modulated
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["Schedule", "Trained", "random_gates", "train"]

Array = npt.NDArray[Any]
_AVERAGE = 0.99  # of the weights over steps


@dataclass(frozen=True)
class Schedule:
    """How long and how fast; see ``ModulatedParameters``."""

    epochs: int
    patience: int
    every: int
    lr: float
    weight_decay: float
    batch: int
    support: tuple[int, int]
    seed: int


@dataclass
class Trained:
    """What came of a training."""

    tensors: dict[str, Array]
    history: list[dict[str, Any]]
    best_epoch: int
    ended: str


def random_gates(n: int, drawn: np.random.Generator) -> Tensor:
    """Draw one of all 65,536 structures for each of n users, every one as likely as any other."""
    return torch.from_numpy(drawn.random((n, POSITIONS, len(OPERATORS))) < 0.5)


def train(
    network: Modulated,
    block: Block,
    gates: Callable[[int, np.random.Generator], Gates],
    look: Callable[[], float] | None,
    schedule: Schedule,
    *,
    run: RunFolder | None = None,
    time_budget: float | None = None,
    quiet: bool = True,
) -> Trained:
    """Train on a block of training users; return the averaged weights of the best look.

    Parameters
    ----------
    gates
        Structure of a batch: how many users there are, and a generator.
    look
        Skill on validation, the larger the better, with the weights that the network has then;
        None: the last weights are kept.
    run
        Checkpoints after every look, resumed from there.

    Raises
    ------
    TrainingDiverged
        The loss is not finite.
    """
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.lr, weight_decay=schedule.weight_decay
    )
    mean = [weight.detach().clone() for weight in network.parameters()]
    best, state = _tensors(network), {"best": -np.inf, "best_epoch": 0, "steps": 0, "seconds": 0.0}
    history: list[dict[str, Any]] = []
    if run is not None and (kept := run.load_checkpoint()) is not None:
        plain, tensors = kept
        history, state = plain["history"], plain["state"]
        best = _resume(network, optimizer, mean, tensors, state["steps"])
    n = len(block.users)
    ended = ""
    while not (ended := _ending(history, state, schedule, time_budget)):
        begin, epoch = time.perf_counter(), len(history) + 1
        drawn = rng(schedule.seed, "epoch", epoch)
        torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
        rate = schedule.lr * (
            0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * (epoch - 1) / schedule.epochs))
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        order, total = drawn.permutation(n), 0.0
        network.train()
        with Progress(n, f"epoch {epoch}/{schedule.epochs}", quiet=quiet) as progress:
            for at in range(0, n, schedule.batch):
                part = block.take(order[at : at + schedule.batch])
                part = part.redraw(drawn, *schedule.support)
                loss = _loss(network(part, gates(len(part.users), drawn)), part)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                state["steps"] += 1
                share = 1 - min(_AVERAGE, (1 + state["steps"]) / (10 + state["steps"]))
                with torch.no_grad():
                    for average, weight in zip(mean, network.parameters(), strict=True):
                        average.lerp_(weight, share)
                total += float(loss.detach()) * len(part.users)
                progress.advance(len(part.users), loss=total / (at + len(part.users)))
        if not np.isfinite(total):
            raise TrainingDiverged(
                f"the loss became {total} in epoch {epoch}", remedy="lower lr (--set lr=…)"
            )
        record: dict[str, Any] = {"epoch": epoch, "loss": total / n}
        if epoch % schedule.every == 0 or epoch == schedule.epochs:
            own = _swap(network, mean)
            network.eval()
            score = float(epoch) if look is None else look()
            if score > state["best"]:
                state["best"], state["best_epoch"], best = score, epoch, _tensors(network)
            if look is not None:
                record["valid_skill"] = score
            _swap(network, own)
        record["seconds"] = time.perf_counter() - begin
        state["seconds"] += record["seconds"]
        history.append(record)
        if run is not None:
            run.log(**record)
            if "valid_skill" in record:
                plain = {"history": history, "state": state}
                run.save_checkpoint(plain, _kept(network, optimizer, mean, best))
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in best.items()})
    network.eval()
    return Trained(best, history, int(state["best_epoch"]), ended)


def _loss(logits: Tensor, block: Block) -> Tensor:
    """Mean over users of the mean squared error of what is asked."""
    error = (torch.sigmoid(logits) - block.ratings) ** 2 * block.asked
    found: Tensor = (error.sum(1) / block.asked.sum(1).clamp_min(1)).mean()
    return found


def _ending(
    history: list[dict[str, Any]], state: dict[str, Any], schedule: Schedule,
    time_budget: float | None,
) -> str:  # fmt: skip
    epochs = len(history)
    if epochs >= schedule.epochs:
        return "epochs"
    if state["best_epoch"] and epochs - state["best_epoch"] >= schedule.patience:
        return "patience"
    last = history[-1]["seconds"] if history else 0.0
    late = time_budget is not None and state["seconds"] + last > time_budget
    return "time budget" if late and state["best_epoch"] else ""


def _tensors(network: nn.Module) -> dict[str, Array]:
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def _swap(network: nn.Module, values: list[Tensor]) -> list[Tensor]:
    """Give the network other weights; return those it had."""
    before = [weight.detach().clone() for weight in network.parameters()]
    with torch.no_grad():
        for weight, value in zip(network.parameters(), values, strict=True):
            weight.copy_(value)
    return before


def _kept(
    network: nn.Module, optimizer: torch.optim.Optimizer, mean: list[Tensor], best: dict[str, Array]
) -> dict[str, Array]:
    found = {f"best.{name}": value for name, value in best.items()}
    found |= {f"now.{name}": value for name, value in _tensors(network).items()}
    found |= {f"mean.{i}": value.numpy().copy() for i, value in enumerate(mean)}
    for i, entry in optimizer.state_dict()["state"].items():
        for name in ("exp_avg", "exp_avg_sq"):
            found[f"{name}.{i}"] = entry[name].numpy().copy()
    return found


def _resume(
    network: nn.Module, optimizer: torch.optim.Optimizer, mean: list[Tensor],
    tensors: dict[str, Array], steps: int,
) -> dict[str, Array]:  # fmt: skip
    def part(prefix: str) -> dict[str, Array]:
        return {
            k.removeprefix(prefix): v.copy() for k, v in tensors.items() if k.startswith(prefix)
        }

    network.load_state_dict({k: torch.from_numpy(v) for k, v in part("now.").items()})
    for i, average in enumerate(mean):
        average.copy_(torch.from_numpy(tensors[f"mean.{i}"]))
    state = optimizer.state_dict()
    state["state"] = {
        i: {
            "step": torch.tensor(float(steps)),
            **{m: torch.from_numpy(tensors[f"{m}.{i}"].copy()) for m in ("exp_avg", "exp_avg_sq")},
        }
        for i in range(len(mean))
        if f"exp_avg.{i}" in tensors
    }
    optimizer.load_state_dict(state)
    return part("best.")
