"""Base class of networks that read a user's support: train, predict, persist."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from parsimony.base import Fitting
from parsimony.ratings.epoch import ModulatedLearner, schedule_of
from parsimony.ratings.estimator import RatingEstimator
from parsimony.ratings.item_statistics import Evidence
from parsimony.ratings.modulated_network import Block, block_of
from parsimony.ratings.parameters import TrainingParameters
from parsimony.ratings.task import ColdStartTask, UserTask
from parsimony.run.folder import RunFolder
from parsimony.run.restoring import require_tensors
from parsimony.training import trainer

__all__ = ["Prepared", "SupportEstimator", "prepared"]

Array = npt.NDArray[Any]
ParametersT = TypeVar("ParametersT", bound=TrainingParameters)
_USERS = 256  # predicted at a time


class SupportEstimator(RatingEstimator[ParametersT]):
    """Networks over the ratings of users: logits of all items of a block, from its supports."""

    _networks: list[nn.Module]

    @abstractmethod
    def _network(self, seed: int) -> nn.Module:
        """A network of the task's size, initialised from a seed; called with a block and gates."""

    @property
    @abstractmethod
    def gates(self) -> Any:
        """What the network takes beside a block."""

    def _fit(self, fitting: Fitting) -> None:
        task, p, budget = self.task_, self.resolved_, fitting.time_budget
        begin = trainer.clock()
        ready = prepared(task)
        spent = trainer.clock() - begin
        history, ends = [], []
        self._networks = []
        for member in range(p.members):
            limit = budget and spent + (budget - spent) / (p.members - member)
            seed = p.seed + 1000 * member
            network = self._network(seed)
            self._networks.append(network)
            learner = ModulatedLearner(
                network, ready.train, lambda n, drawn: self.gates,
                self._skill if task.has("valid") else None, p,
            )  # fmt: skip
            # Only a single network is checkpointed; members are short trainings.
            run = fitting.run if p.members == 1 else None
            own = replace(fitting, run=run, time_budget=limit)
            self._train(learner, schedule_of(p, seed), own, spent=spent)
            network.eval()
            spent = trainer.clock() - begin
            history += self.history_
            ends.append(self.ended_)
            if budget is not None and spent >= budget:
                break
        self.history_ = history
        self.ended_ = "time budget" if "time budget" in ends else ends[-1]
        self.parameters_count_ = sum(
            weight.numel() for network in self._networks for weight in network.parameters()
        )

    def _skill(self) -> float:
        """The skill of the network that is being trained, on the supports of validation users."""
        task, users = self.task_, self.task_.selection_tasks()
        found = _answers(self._networks[-1], prepared(task).selection, self.gates)
        return task.skill(task.measure(users, found), users)

    def _predict(self, users: Sequence[UserTask]) -> list[Array]:
        found: list[Array] = []
        for at in range(0, len(users), _USERS):
            part = users[at : at + _USERS]
            block = block_of(part, prepared(self.task_).evidence.of_all(part))
            each = [_answers(network, block, self.gates) for network in self._networks]
            found += [np.mean(rows, axis=0) for rows in zip(*each, strict=True)]
        return found

    def _tensors(self) -> dict[str, Array]:
        return {
            f"{i}.{name}": value.numpy().copy()
            for i, network in enumerate(self._networks)
            for name, value in network.state_dict().items()
        }

    def _restore(self, run: RunFolder, tensors: dict[str, Array]) -> None:
        super()._restore(run, tensors)
        self._networks = []
        # The time budget may have ended before all members were trained.
        for i in range(len({name.partition(".")[0] for name in tensors})):
            network = self._network(0)
            require_tensors(
                tensors, {f"{i}.{n}": tuple(v.shape) for n, v in network.state_dict().items()}, "fi"
            )
            state = {n: torch.from_numpy(tensors[f"{i}.{n}"].copy()) for n in network.state_dict()}
            network.load_state_dict(state)
            self._networks.append(network.eval())


@dataclass(frozen=True)
class Prepared:
    """What all trainings on a task share; computed once per task and process.

    ``selection`` holds the supports of validation users; where there are none, one training user.
    """

    evidence: Evidence
    train: Block
    selection: Block


_PREPARED: WeakKeyDictionary[ColdStartTask, Prepared] = WeakKeyDictionary()


def prepared(task: ColdStartTask) -> Prepared:
    """Return the evidence and the blocks of a task."""
    if task not in _PREPARED:
        evidence, train = Evidence(task), task.user_tasks("train")
        blocks = [
            block_of(users, evidence.of_all(users))
            for users in (train, task.selection_tasks() or train[:1])
        ]
        _PREPARED[task] = Prepared(evidence, *blocks)
    return _PREPARED[task]


def _answers(network: nn.Module, block: Block, gates: Any) -> list[Array]:
    """Predictions in [0, 1] of each user's queries."""
    with torch.no_grad():
        found = torch.sigmoid(network(block, gates)).numpy()
    query = block.query.numpy() > 0
    return [row[mask] for row, mask in zip(found, query, strict=True)]
