"""All 65,536 formulas by one training of shared weights.

*Training.* Each user of a batch gets a structure of their own, drawn from all with equal chance, so
that the shared weights favour none (single path, one shot). The gates are draws, not sigmoids of
learned logits: every position has its own, a later operator works on what an earlier one left, and
nothing confounds a gate with the size of its vector.

*Ranking.* For fixed weights the state after position p depends on the operator sets up to p alone:
a tree of 16 + 256 + 4,096 + 65,536 nodes, each of which costs one element-wise operation and the
part of a layer that its prefix does not share.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.knowledge.formula import OPERATORS, POSITIONS, modulate
from parsimony.ratings.coldnas import build, prepared, schedule_of
from parsimony.ratings.epoch import random_gates, train
from parsimony.ratings.modulated_network import Block, Modulated
from parsimony.ratings.task import ColdStartTask
from parsimony.run.progress import Progress

__all__ = ["rank_formulas", "shared_errors", "train_shared"]

_ORDER = tuple(OPERATORS)
_SETS = 1 << len(_ORDER)


def rank_formulas(
    task: ColdStartTask, parameters: Any, *, epochs: int, seed: int, quiet: bool = True
) -> npt.NDArray[np.float64]:
    """Return the skill on validation users of every formula, (65,536,), by its bits.

    Parameters
    ----------
    parameters
        Of method "coldnas".
    epochs, seed
        Of the one training of shared weights.
    """
    network = train_shared(task, parameters, epochs=epochs, seed=seed, quiet=quiet)
    block = prepared(task).choosing
    people = task.choosing()
    plain = task.measure(people, [np.full(int(p.query.sum()), task.mean) for p in people])
    low, high = task.data.scale
    errors = shared_errors(network, block, quiet=quiet) * (high - low) ** 2
    return np.asarray(1 - errors / plain["mse"].mean())


def train_shared(
    task: ColdStartTask, parameters: Any, *, epochs: int, seed: int, quiet: bool = True
) -> Modulated:
    """Train weights that serve all formulas alike; the averaged ones of the last epoch."""
    ready = prepared(task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(task, parameters)
        network.standardise(ready.train)
        given = parameters.model_copy(update={"epochs": epochs, "patience": epochs})
        schedule = schedule_of(given, seed)
        train(network, ready.train, random_gates, None, schedule, quiet=quiet)
    return network


def shared_errors(
    network: Modulated, block: Block, *, quiet: bool = True
) -> npt.NDArray[np.float64]:
    """Mean over users of the mean squared error of every formula, (65,536,), by its bits."""
    errors = torch.zeros(_SETS**POSITIONS, dtype=torch.float64)
    asked = block.asked > 0
    owner = torch.repeat_interleave(torch.arange(len(asked)), asked.sum(1))
    truth = block.ratings[asked]
    share = (1 / asked.sum(1).clamp_min(1))[owner] / len(asked)
    with torch.no_grad(), Progress(_SETS**2, "formulas", quiet=quiet) as progress:
        x, vectors = network.start(block)
        rows = [{o: v[owner, 0] for o, v in at.items()} for at in vectors]

        def below(position: int, state: Tensor, bits: int) -> None:
            """Walk on from the state before a position, (n, width)."""
            states = network.step(position, _variants(state, rows[position]))
            if position == POSITIONS - 1:
                error = (torch.sigmoid(states.squeeze(-1)) - truth) ** 2
                place = bits + (torch.arange(_SETS) << len(_ORDER) * position)
                errors[place] = (error @ share).double()
                return
            for number in range(_SETS):
                below(position + 1, states[number], bits | number << len(_ORDER) * position)
                if position == 1:
                    progress.advance()

        below(0, x[asked], 0)
    return errors.numpy()


def _variants(state: Tensor, vectors: dict[str, Tensor]) -> Tensor:
    """The state (n, width) under all 16 operator sets, by their bits: (16, n, width)."""
    found = [state]
    for operator in _ORDER:
        found += [modulate(operator, each, vectors[operator]) for each in found]
    return torch.stack(found)
