"""Rank all 65,536 formulas by one training of shared weights.

*Training.* Each user of a batch gets a formula of their own, drawn uniformly from all, so that the
shared weights favour none (single path, one shot). The gates are draws, not sigmoids of learned
logits: each position has its own, a later operator works on the result of an earlier one, and
nothing confounds a gate with the size of its vector.

*Ranking.* For fixed weights the state after position p depends on the operator sets up to p alone:
a tree of 16 + 256 + 4,096 + 65,536 nodes (``docs/methods/coldnas.md``, eq. 6). A node costs one
element-wise operation and the part of a layer that its prefix does not share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.knowledge.formula import OPERATORS, POSITIONS, modulate
from parsimony.ratings.coldnas import build
from parsimony.ratings.epoch import ModulatedLearner, random_gates, schedule_of
from parsimony.ratings.modulated_network import Block, Modulated
from parsimony.ratings.parameters import FiLMParameters
from parsimony.ratings.support_estimator import prepared
from parsimony.ratings.task import ColdStartTask
from parsimony.run.cost import Cost
from parsimony.run.progress import Progress
from parsimony.training.trainer import Trainer

__all__ = ["rank_formulas", "shared_errors", "train_shared"]

_ORDER = tuple(OPERATORS)
_SETS = 1 << len(_ORDER)


def rank_formulas(
    task: ColdStartTask,
    parameters: FiLMParameters,
    *,
    epochs: int,
    seed: int,
    time_budget: float | None = None,
    quiet: bool = True,
) -> npt.NDArray[np.float64]:
    """Return the skill of each formula on validation users, (65,536,), indexed by its bits.

    Parameters
    ----------
    parameters
        Of the network and its training; a formula among them is not used.
    epochs, seed, time_budget
        Of the one training of shared weights.
    """
    network = train_shared(
        task, parameters, epochs=epochs, seed=seed, time_budget=time_budget, quiet=quiet
    )
    block = prepared(task).selection
    users = task.selection_tasks()
    plain = task.measure(users, [np.full(int(p.query.sum()), task.mean) for p in users])
    low, high = task.data.scale
    errors = shared_errors(network, block, quiet=quiet) * (high - low) ** 2
    return np.asarray(1 - errors / plain["mse"].mean())


def train_shared(
    task: ColdStartTask,
    parameters: FiLMParameters,
    *,
    epochs: int,
    seed: int,
    time_budget: float | None = None,
    quiet: bool = True,
) -> Modulated:
    """Train weights that serve all formulas alike; they are averaged, and of the last epoch."""
    block, given = prepared(task).train, parameters.model_copy(update={"epochs": epochs})
    network = build(task, given, seed)
    network.standardise(block)
    learner = ModulatedLearner(network, block, random_gates, None, given)
    cost = Cost(0, task.n_labels)
    schedule = schedule_of(given, seed)
    Trainer(schedule, cost, time_budget=time_budget, quiet=quiet).train(learner)
    return network.eval()


def shared_errors(
    network: Modulated, block: Block, *, quiet: bool = True
) -> npt.NDArray[np.float64]:
    """Mean over users of each formula's mean squared error, (65,536,), indexed by its bits."""
    errors = torch.zeros(_SETS**POSITIONS, dtype=torch.float64)
    query = block.query > 0
    owner = torch.repeat_interleave(torch.arange(len(query)), query.sum(1))
    truth = block.ratings[query]
    weight = (1 / query.sum(1).clamp_min(1))[owner] / len(query)
    with torch.no_grad(), Progress(_SETS**2, "formulas", quiet=quiet) as progress:
        x, vectors = network.start(block)
        rows = [{o: v[owner, 0] for o, v in at.items()} for at in vectors]

        def below(position: int, state: Tensor, bits: int) -> None:
            """Descend from the state before a position, (n_queries, width)."""
            states = network.step(position, _variants(state, rows[position]))
            if position == POSITIONS - 1:
                error = (torch.sigmoid(states.squeeze(-1)) - truth) ** 2
                place = bits + (torch.arange(_SETS) << len(_ORDER) * position)
                errors[place] = (error @ weight).double()
                return
            for number in range(_SETS):
                below(position + 1, states[number], bits | number << len(_ORDER) * position)
                if position == 1:
                    progress.advance()

        below(0, x[query], 0)
    return errors.numpy()


def _variants(state: Tensor, vectors: dict[str, Tensor]) -> Tensor:
    """Apply all 16 operator sets to a state (n, width); returns (16, n, width), by their bits."""
    found = [state]
    for operator in _ORDER:
        found += [modulate(operator, each, vectors[operator]) for each in found]
    return torch.stack(found)
