"""From ratings to the formula that modulates best: ``parsimony search --space modulation``.

The run folder holds ``search/trials.jsonl`` (the ledger), ``search/ranking.npy`` (algorithm
supernet: the skill of every formula on shared weights, by its bits), ``search/runs/`` (the
finalists, each a run folder of its own), ``search.json`` (what was found and what it cost), and
beside them the files of the best finalist: ``evaluate`` and ``adapt`` take it. Only validation
users are looked at before the comparison of the finalists, which also tells their test figures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator, load_run
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.knowledge.formula import Formula
from parsimony.problems import open_task
from parsimony.ratings.coldnas import ColdNAS
from parsimony.ratings.data import RatingData
from parsimony.ratings.formula_ranking import rank_formulas
from parsimony.ratings.task import ColdStartOptions, ColdStartTask
from parsimony.run.atomic import write_atomic
from parsimony.run.engine import Engine
from parsimony.search import Budget, Rung, TrialResult
from parsimony.search.formula_space import N_STRUCTURES, ModulationSpace
from parsimony.search.ladder import ladder_of
from parsimony.search.run import Asked, Searched, StructureSearch, publish
from parsimony.search.trial import Measured, Trial

__all__ = ["search_formulas"]

#: Not of the trainer's identity: the numbers do not depend on them, or every trial has its own.
_FREE = ("dim", "epochs", "seed", "patience", "formula")
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
class FormulaScreen:
    """Guesses formulas by shared weights; the ranking is kept for a resumed search."""

    task: ColdStartTask
    parameters: Any
    seed: int
    folder: Path
    quiet: bool
    #: one ranking tells all formulas, so that none need be drawn
    ranks_all: ClassVar[bool] = True

    def __call__(self, structures: Sequence[Formula]) -> npt.NDArray[np.float64]:
        """See :class:`parsimony.search.space.Screen`."""
        return self.ranking[[formula.bits for formula in structures]]

    @cached_property
    def ranking(self) -> npt.NDArray[np.float64]:
        """Skill of every formula, (65,536,)."""
        kept, told = self.folder / "ranking.npy", self.folder / "ranking.json"
        if kept.exists() and told.exists():
            found: npt.NDArray[np.float64] = np.load(kept, allow_pickle=False)
            if found.shape == (N_STRUCTURES,):
                return found
        begin = time.perf_counter()
        found = rank_formulas(
            self.task, self.parameters, epochs=self.parameters.epochs, seed=self.seed,
            quiet=self.quiet,
        )  # fmt: skip
        np.save(kept, found)
        write_atomic(told, json.dumps({"seconds": time.perf_counter() - begin}) + "\n")
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
        return {**json.loads(told.read_text()), "structures": N_STRUCTURES, "top": top,
                "by_operators": by_size, "named": named}  # fmt: skip


def search_formulas(
    data: str | RatingData,
    *,
    out: Path | str,
    budget: Budget,
    algorithm: str = "supernet",
    settings: dict[str, Any] | None = None,
    compare: int = 1,
    train_budget: float | None = None,
    engine: Engine | None = None,
    resume: bool = False,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
    quiet: bool = True,
    on_trial: Callable[[Trial], None] | None = None,
    on_searched: Callable[[], None] | None = None,
) -> tuple[Estimator, dict[str, Any]]:
    """Search the formula, train the best one to the end, and write the run folder.

    Parameters and errors are those of :func:`parsimony.search.symbols.search_symbols`; settings may
    also be of the task (:class:`parsimony.ratings.task.ColdStartOptions`). The figure of a
    trial is :meth:`parsimony.ratings.task.ColdStartTask.skill`.
    """
    options = list(ColdStartOptions.model_fields)
    asked = Asked.of(
        settings, seed, noun="formula", trainer=[*ColdNAS.Parameters.model_fields, *options]
    )
    seed = asked.seed
    own = {name: value for name, value in asked.trainer.items() if name in options}
    given = {name: value for name, value in asked.trainer.items() if name not in options}
    trainer = ColdNAS(**{"seed": seed, **given})
    task = open_task("coldstart", data, own, mirror=mirror, columns=columns, seed=seed)
    if not isinstance(task, ColdStartTask):
        raise InvalidParameter(f"{data!r} are no ratings")
    trainer.prepare(task)
    if not task.has("valid"):
        raise EmptySplit(
            f"{task.data.name} has no validation user", remedy="a search selects on them"
        )
    p = trainer.resolved_
    half = [[p.dim, max(1, p.epochs // 2)], [p.dim, p.epochs]]
    derived = half if p.epochs > 1 else half[:1]
    ladder = ladder_of(asked.ladder or derived, Rung(p.dim, p.epochs))
    folder = Path(out)
    shared = {k: v for k, v in given.items() if k not in ("dim", "epochs")}
    screen = FormulaScreen(task, p, seed, folder / "search", quiet)
    searched = StructureSearch(
        ModulationSpace(), "formula", "coldnas", task.data, attrgetter("bits"), asked, ladder,
        folder,
    ).run(
        FormulaTrial(task, shared), screen,
        {
            "options": task.options.model_dump(),
            "trainer": {k: v for k, v in p.model_dump(mode="json").items() if k not in _FREE},
        },
        budget=budget, algorithm=algorithm, engine=engine, resume=resume, compare=compare,
        train_budget=train_budget, quiet=quiet, on_trial=on_trial, on_searched=on_searched,
        first=("FiLM", "none"),  # the usual choice, and nothing at all
    )  # fmt: skip
    runs, finalists = searched.runs, searched.finalists
    skills = {name: model.skill() for name, (model, _) in runs.items()}
    best = max(skills, key=lambda name: skills[name])
    formula = finalists[best]
    summary = searched.summary(
        best, skills[best],
        {"operators": formula.n_operators, "latex": formula.latex()},
        space=ModulationSpace.name,
        comparison=_comparison(searched, skills, best),
        ranking=screen.summary(finalists | Formula.named()) if algorithm == "supernet" else None,
    )  # fmt: skip
    publish(folder, Path(runs[best][1]["run"]), summary)
    return load_run(folder), summary


def _comparison(
    searched: Searched[Formula], skills: dict[str, float], best: str
) -> list[dict[str, Any]]:
    """The finalists, with intervals over users, and the paired difference to the best one.

    ``difference`` is how much better the best one is: see :meth:`ColdStartTask.gains`.
    """
    rows = searched.rows()
    task = searched.runs[best][0].task_
    splits = [split for split in ("valid", "test") if task.has(split)]
    measured = {
        name: {split: model.by_user(split) for split in splits}
        for name, (model, _) in searched.runs.items()
    }
    for row in rows:
        name, found = row["name"], measured[row["name"]]
        row |= {"operators": searched.finalists[name].n_operators, "skill": skills[name]}
        row |= {split: task.summary(found[split]) for split in splits}
        if name != best:
            row["difference"] = {s: task.gains(measured[best][s], found[s]) for s in splits}
    return rows
