"""The search of formulas: how a new user's ratings should modulate a predictor.

Beside what every search keeps, ``search/ranking.npy`` (algorithm supernet) holds the skill of every
formula on shared weights, by its bits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.decoding import load_array, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.knowledge.formula import Formula
from parsimony.ratings.coldnas import ColdNAS
from parsimony.ratings.formula_ranking import rank_formulas
from parsimony.ratings.parameters import FiLMParameters
from parsimony.ratings.task import ColdStartTask
from parsimony.run.atomic import write_atomic
from parsimony.search.formula_space import N_STRUCTURES, ModulationSpace
from parsimony.search.settings import Rung
from parsimony.search.structure_search import Finalist, StructureSearch
from parsimony.search.trial import Measured, TrialResult

__all__ = ["FormulaSearch", "FormulaTrial", "OneShotFormulas"]

_TOP = 20  # formulas of the ranking that search.json lists


@dataclass(frozen=True)
class FormulaTrial:
    """Trains one formula for a while; the best look at validation is its figure."""

    task: ColdStartTask
    settings: dict[str, Any]

    def __call__(self, structure: Formula, *, seed: int, epochs: int, dim: int) -> Measured:
        """See :class:`parsimony.search.trial.Evaluate`."""
        begin = time.perf_counter()
        own = {**self.settings, "formula": str(structure), "dim": dim, "seed": seed}
        model = ColdNAS(**own).fit(self.task, epochs=epochs)
        return TrialResult(
            model.skill(), time.perf_counter() - begin, model.parameters_count_,
            len(model.history_),
        )  # fmt: skip


@dataclass(frozen=True)
class OneShotFormulas:
    """Guesses formulas by shared weights; the ranking is kept for a resumed search."""

    task: ColdStartTask
    parameters: FiLMParameters
    seed: int
    folder: Path
    time_budget: float | None
    quiet: bool
    #: one ranking tells all formulas, so that none need be drawn
    ranks_all: ClassVar[bool] = True

    def __call__(self, structures: Sequence[Formula]) -> npt.NDArray[np.float64]:
        """See :class:`parsimony.search.space.OneShot`."""
        return self.ranking[[formula.bits for formula in structures]]

    @cached_property
    def ranking(self) -> npt.NDArray[np.float64]:
        """Skill of every formula, (65,536,)."""
        kept, told = self.folder / "ranking.npy", self.folder / "ranking.json"
        if kept.exists() and told.exists():
            found: npt.NDArray[np.float64] = load_array(
                kept, kind="f", error=CorruptRun, remedy="remove it"
            )
            if found.shape == (N_STRUCTURES,):
                return found
        begin = time.perf_counter()
        found = rank_formulas(
            self.task, self.parameters, epochs=self.parameters.epochs, seed=self.seed,
            time_budget=self.time_budget, quiet=self.quiet,
        )  # fmt: skip
        np.save(kept, found)
        write_atomic(told, json_text({"seconds": time.perf_counter() - begin}) + "\n")
        return found

    def summary(self, formulas: Mapping[str, Formula]) -> dict[str, Any] | None:
        """The best formulas of the ranking, the best of every size, and where some stand in it.

        None if it was never asked for.
        """
        told = self.folder / "ranking.json"
        if not told.exists():
            return None
        ranking = self.ranking
        sizes = np.array([bits.bit_count() for bits in range(N_STRUCTURES)])
        order = np.argsort(-ranking, kind="stable")
        by_size = []
        for size in range(int(sizes.max()) + 1):
            of = order[sizes[order] == size]
            row = {"formula": str(Formula.from_bits(int(of[0]))), "best": float(ranking[of[0]])}
            by_size.append({"operators": size, **row, "mean": float(ranking[of].mean())})
        top = [{"formula": str(Formula.from_bits(int(b))), "skill": float(ranking[b])}
               for b in order[:_TOP]]  # fmt: skip
        named = [
            {"name": name, "formula": str(formula), "skill": float(ranking[formula.bits]),
             "rank": 1 + int((ranking > ranking[formula.bits]).sum())}
            for name, formula in formulas.items()
        ]  # fmt: skip
        cost = read_json(told, error=CorruptRun, remedy="remove it")
        return {**cost, "structures": N_STRUCTURES, "top": top, "by_operators": by_size,
                "named": named}  # fmt: skip


class FormulaSearch(StructureSearch[Formula, ColdNAS]):
    """Searches formulas by the skill of method "coldnas" on validation users."""

    space = ModulationSpace()
    noun: ClassVar[str] = "formula"
    measure: ClassVar[str] = "skill"
    Method = ColdNAS
    algorithm: ClassVar[str] = "supernet"
    free: ClassVar[frozenset[str]] = frozenset({"dim", "epochs", "seed", "patience", "formula"})
    first: ClassVar[tuple[str, ...]] = ("FiLM", "none")  # the usual choice, and nothing at all

    def has_validation(self) -> bool:
        """Whether there are validation users."""
        return self.model.task_.has("valid")

    def derived_ladder(self, final: Rung) -> list[list[int]]:
        """Half of the final training, then all of it."""
        epochs = sorted({max(1, final.epochs // 2), final.epochs})
        return [[final.dim, n] for n in epochs]

    def key(self, structure: Formula) -> int:
        """Its bits: no two formulas are equal in power."""
        return structure.bits

    def name(self, structure: Formula) -> str | None:
        """Its name, FiLM or gate for example; None where it has none."""
        return structure.name

    def evaluate(self) -> FormulaTrial:
        """A training of one formula."""
        options = type(self.model.task_.options).model_fields
        own = ("dim", "epochs", *options)
        shared = {name: value for name, value in self.given.items() if name not in own}
        return FormulaTrial(self.model.task_, shared)

    def one_shot(self) -> OneShotFormulas:
        """A training of shared weights."""
        return self._one_shot

    @cached_property
    def _one_shot(self) -> OneShotFormulas:
        return OneShotFormulas(
            self.model.task_, self.model.resolved_, self.seed, self.folder / "search",
            self.request.budget.seconds, self.request.quiet,
        )  # fmt: skip

    def figure(self, finalist: Finalist[Formula, ColdNAS]) -> float:
        """Skill on validation users."""
        return finalist.estimator.skill()

    def described(self, structure: Formula) -> dict[str, Any]:
        """How many operators, and the formula as LaTeX."""
        return {"operators": structure.n_operators, "latex": structure.latex()}

    def row(self, structure: Formula, figure: float) -> dict[str, Any]:
        """The number of operators, and the skill."""
        return {"operators": structure.n_operators, "skill": figure}

    def measured(self, estimator: ColdNAS) -> dict[str, Any]:
        """Measures of every user."""
        splits = [split for split in ("valid", "test") if estimator.task_.has(split)]
        return {split: estimator.by_user(split) for split in splits}

    def averaged(self, measured: Any) -> dict[str, Any]:
        """Means over users with their intervals."""
        return self.model.task_.summary(measured)

    def gain(self, best: Any, measured: Any) -> dict[str, Any]:
        """How much better the best one is: see :meth:`ColdStartTask.gains`."""
        return self.model.task_.gains(best, measured)

    def more(self, finalists: Mapping[str, Formula], algorithm: str) -> dict[str, Any]:
        """The space, and the ranking of all formulas where there is one."""
        ranking = None
        if algorithm == "supernet":
            ranking = self._one_shot.summary({**finalists, **Formula.named()})
        return {"space": self.space.name, "ranking": ranking}
