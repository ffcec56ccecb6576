"""ColdNAS and FiLM: predictors whose layers a user's ratings modulate, by a formula.

Source: ColdNAS, WWW 2023 (arXiv 2306.03387); FiLM, AAAI 2018 (arXiv 1709.07871).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, field_validator

from parsimony import base
from parsimony.errors import FormatError
from parsimony.knowledge.formula import Formula
from parsimony.ratings.epoch import Schedule, train
from parsimony.ratings.estimator import RatingEstimator
from parsimony.ratings.item_statistics import Evidence
from parsimony.ratings.modulated_network import Block, Modulated, block_of
from parsimony.ratings.task import ColdStartTask, Person
from parsimony.run.folder import RunFolder

__all__ = ["ColdNAS", "FiLM", "ModulatedParameters", "prepared"]

Array = npt.NDArray[Any]
_PEOPLE = 256  # predicted at a time
#: Found by `search lastfm --space modulation` on validation users; see docs/coldstart.md.
FOUND = "min(h, b) + d; min(h, b) * c + d; min(h, b) * c + d; min(max(h, a), b) * c"


class FiLMParameters(base.Parameters):
    """Parameters of network and training."""

    dim: int = Field(16, ge=1, le=1024, description="numbers of an embedding, 1 … 1024")
    hidden: tuple[int, int, int] = Field(
        (64, 32, 16), description="widths of the three hidden layers, each ≥ 1"
    )
    context: int = Field(32, ge=1, description="numbers of a user's context, ≥ 1")
    pooling: Literal["mean", "attention"] = Field(
        "attention", description="how ratings become a context: mean or attention"
    )
    evidence: bool = Field(
        True, description="whether what others' ratings say of an item is an input"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout, [0, 1)")
    item_dropout: float = Field(
        0.95, ge=0, le=1, description="share of items unknown in a training step, [0, 1]"
    )
    lr: float = Field(3e-3, gt=0, description="learning rate of AdamW, > 0")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW, ≥ 0")
    batch: int = Field(32, ge=1, description="users a step, ≥ 1")
    least: int = Field(15, ge=0, description="ratings in a drawn support at least, ≥ 0")
    most: int = Field(25, ge=1, description="ratings in a drawn support at most, ≥ 1")
    epochs: int = Field(100, ge=1, description="most epochs, ≥ 1")
    patience: int = Field(30, ge=1, description="epochs without improvement before stopping, ≥ 1")
    every: int = Field(2, ge=1, description="epochs between two looks at validation, ≥ 1")
    members: int = Field(1, ge=1, le=32, description="networks whose mean predicts, 1 … 32")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")

    @field_validator("hidden")
    @classmethod
    def _positive(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(value) < 1:
            raise ValueError("each width must be at least 1")
        return value


class ModulatedParameters(FiLMParameters):
    """And the formula."""

    formula: str = Field(FOUND, description="what modulates which position, as text or by name")

    @field_validator("formula")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            return str(Formula.parse(value))
        except FormatError as error:
            raise ValueError(f"{error.message}; {error.remedy}") from None


class ColdNAS(RatingEstimator):
    """A predictor that a user's ratings modulate by a formula, searched or given."""

    method = "coldnas"
    Parameters: ClassVar[type[base.Parameters]] = ModulatedParameters
    fallback = "predicted from the items alone, with the modulation of an empty support"
    _networks: list[Modulated]

    @property
    def formula(self) -> Formula:
        """The formula of this model."""
        return Formula.parse(self.resolved_.formula)

    def _learn(self, *, run: RunFolder | None, time_budget: float | None, quiet: bool) -> int:
        task, p = self.task_, self.resolved_
        ready = prepared(task)
        self._networks = []
        for member in range(p.members):
            seed = p.seed + 1000 * member
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = build(task, p)
                network.standardise(ready.train)
                trained = train(
                    network, ready.train, lambda n, drawn: self.formula,
                    self._look(network) if task.has("valid") else None, schedule_of(p, seed),
                    # checkpoints are those of a single network; members are short trainings
                    run=run if p.members == 1 else None,
                    time_budget=None if time_budget is None else time_budget / p.members,
                    quiet=quiet,
                )  # fmt: skip
            self._networks.append(network)
            self.history_ += trained.history
            self.best_epoch_, self.ended_ = trained.best_epoch, trained.ended
        return sum(weight.numel() for net in self._networks for weight in net.parameters())

    def _look(self, network: Modulated) -> Callable[[], float]:
        task, block, people = self.task_, prepared(self.task_).choosing, self.task_.choosing()

        def look() -> float:
            return task.skill(task.measure(people, answers(network, block, self.formula)), people)

        return look

    def skill(self) -> float:
        """What a search maximises: 1 − MSE / MSE of the mean, over the supports of validation."""
        self._require_fitted()
        people = self.task_.choosing()
        return self.task_.skill(self.task_.measure(people, self._predict(people)), people)

    def _predict(self, people: Sequence[Person]) -> list[Array]:
        found: list[Array] = []
        for at in range(0, len(people), _PEOPLE):
            part = people[at : at + _PEOPLE]
            block = block_of(part, prepared(self.task_).evidence.of_all(part))
            each = [answers(network, block, self.formula) for network in self._networks]
            found += [np.mean(rows, axis=0) for rows in zip(*each, strict=True)]
        return found

    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Any]:
        """The formula."""
        return [self.formula]

    def knowledge_table(self, top: int, *, quiet: bool = True) -> dict[str, Any]:
        """The formula, line by line: what knowledge.toml holds."""
        lines = self.formula.text().splitlines()
        table: dict[str, Any] = {"positions": lines, "latex": self.formula.latex()}
        if self.formula.name:
            table["name"] = self.formula.name
        return {"formula": table}

    def _tensors(self) -> dict[str, Array]:
        return {
            f"{i}.{name}": value.numpy().copy()
            for i, network in enumerate(self._networks)
            for name, value in network.state_dict().items()
        }

    def _restore(self, tensors: dict[str, Array]) -> None:
        self._networks = []
        for i in range(self.resolved_.members):
            network = build(self.task_, self.resolved_)
            state = {n: torch.from_numpy(tensors[f"{i}.{n}"].copy()) for n in network.state_dict()}
            network.load_state_dict(state)
            network.eval()
            self._networks.append(network)


class FiLM(ColdNAS):
    """The same predictor with a factor and a shift at every position."""

    method = "film"
    Parameters = FiLMParameters

    @property
    def formula(self) -> Formula:
        """FiLM everywhere."""
        return Formula.named()["FiLM"]


@dataclass(frozen=True)
class Prepared:
    """What every training on a task shares; computed once a task and process.

    ``choosing`` is an empty block of training users where there is no validation user.
    """

    evidence: Evidence
    train: Block
    choosing: Block


_PREPARED: WeakKeyDictionary[ColdStartTask, Prepared] = WeakKeyDictionary()


def prepared(task: ColdStartTask) -> Prepared:
    """Return the evidence and the blocks of a task."""
    if task not in _PREPARED:
        evidence = Evidence(task)
        blocks = [
            block_of(people, evidence.of_all(people))
            for people in (task.people("train"), task.choosing() or task.people("train")[:1])
        ]
        _PREPARED[task] = Prepared(evidence, *blocks)
    return _PREPARED[task]


def build(task: ColdStartTask, parameters: Any) -> Modulated:
    """Make a network of the task's size, initialised from torch's generator."""
    data, p = task.data, parameters
    return Modulated(
        len(data.items), len(data.users), data.item_features, data.user_features, dim=p.dim,
        hidden=p.hidden, context=p.context, dropout=p.dropout, item_dropout=p.item_dropout,
        pooling=p.pooling,
        evidence=p.evidence,
    )  # fmt: skip


def schedule_of(parameters: Any, seed: int) -> Schedule:
    """The training that parameters ask for."""
    p = parameters
    return Schedule(
        p.epochs, p.patience, p.every, p.lr, p.weight_decay, p.batch,
        (min(p.least, p.most), p.most), seed,
    )  # fmt: skip


def answers(network: Modulated, block: Block, formula: Formula) -> list[Array]:
    """Predictions in [0, 1] of the asked items of every user of a block."""
    with torch.no_grad():
        found = torch.sigmoid(network(block, formula)).numpy()
    asked = block.asked.numpy() > 0
    return [row[mask] for row, mask in zip(found, asked, strict=True)]
