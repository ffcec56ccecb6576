"""ColdNAS and FiLM: predictors whose layers a user's ratings modulate, by a formula.

Sources: ColdNAS, WWW 2023 (arXiv 2306.03387); FiLM, AAAI 2018 (arXiv 1709.07871). Equations are in
``docs/methods/coldnas.md``.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

import torch

from parsimony.base import constructor
from parsimony.knowledge.formula import Formula
from parsimony.ratings.modulated_network import Modulated
from parsimony.ratings.parameters import FiLMParameters, ModulatedParameters
from parsimony.ratings.support_estimator import SupportEstimator, prepared
from parsimony.ratings.task import ColdStartTask

__all__ = ["ColdNAS", "FiLM", "ModulatedEstimator", "build"]

ParametersT = TypeVar("ParametersT", bound=FiLMParameters)


class ModulatedEstimator(SupportEstimator[ParametersT]):
    """A predictor that a user's ratings modulate by a formula."""

    fallback = "predicted from the items alone, with the modulation of an empty support"

    @property
    @abstractmethod
    def formula(self) -> Formula:
        """The formula of this model."""

    @property
    def gates(self) -> Formula:
        """The formula."""
        return self.formula

    def _network(self, seed: int) -> Modulated:
        network = build(self.task_, self.resolved_, seed)
        network.standardise(prepared(self.task_).train)
        return network

    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Any]:
        """The formula."""
        self._require_fitted()
        return [self.formula]

    def knowledge_table(self, top: int, *, quiet: bool = True) -> dict[str, Any]:
        """The formula, line by line: what knowledge.toml holds."""
        lines = self.formula.text().splitlines()
        table: dict[str, Any] = {"positions": lines, "latex": self.formula.latex()}
        if self.formula.name:
            table["name"] = self.formula.name
        return {"formula": table}


class ColdNAS(ModulatedEstimator[ModulatedParameters]):
    """A predictor that a user's ratings modulate by a formula, searched or given.

    The context of the ratings (``docs/methods/coldnas.md``, eq. 1) becomes vectors (eq. 2) that
    modulate every layer (eq. 3, 4).
    """

    method = "coldnas"
    paper = "ColdNAS, WWW 2023, arXiv 2306.03387"
    Parameters = ModulatedParameters
    __init__ = constructor(ModulatedParameters)

    @property
    def formula(self) -> Formula:
        """The formula of this model."""
        return Formula.parse(self.resolved_.formula)


class FiLM(ModulatedEstimator[FiLMParameters]):
    """The same predictor with a factor and a shift at every position."""

    method = "film"
    paper = "FiLM, AAAI 2018, arXiv 1709.07871"
    Parameters = FiLMParameters
    __init__ = constructor(FiLMParameters)

    @property
    def formula(self) -> Formula:
        """FiLM everywhere."""
        return Formula.named()["FiLM"]


def build(task: ColdStartTask, parameters: FiLMParameters, seed: int = 0) -> Modulated:
    """Make a network of the task's size, initialised from a seed."""
    data, p = task.data, parameters
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Modulated(
            len(data.items), len(data.users), data.item_features, data.user_features, dim=p.dim,
            hidden=p.hidden, context=p.context, dropout=p.dropout, item_dropout=p.item_dropout,
            pooling=p.pooling, evidence=p.evidence,
        )  # fmt: skip
