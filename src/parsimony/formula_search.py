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
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.adapt.coldnas import ColdNAS
from parsimony.adapt.formula_ranking import rank_formulas
from parsimony.base import Estimator, load_run
from parsimony.datasets.rating_data import RatingData
from parsimony.design import Budget, Rung, SearchSettings, TrialLedger, TrialResult
from parsimony.design import search as search_space
from parsimony.design.ladder import ladder_of
from parsimony.design.modulation import N_STRUCTURES, ModulationSpace
from parsimony.design.trial import Measured, Trial
from parsimony.errors import EmptySplit, InvalidParameter, UnknownParameter
from parsimony.fitting import fit
from parsimony.knowledge.formula import Formula
from parsimony.run.atomic import write_atomic
from parsimony.run.engine import Engine, LocalEngine
from parsimony.structure_search import (
    by_rung,
    publish,
    require_known,
    require_room,
    seconds_of,
    short,
)
from parsimony.tasks.coldstart import ColdStartOptions, ColdStartTask
from parsimony.tasks.opening import open_task

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
        """See :class:`parsimony.design.trial.Evaluate`."""
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
        """See :class:`parsimony.design.space.Screen`."""
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

    Parameters and errors are those of :func:`parsimony.symbol_search.search_symbols`; settings may
    also be of the task (:class:`parsimony.tasks.coldstart.ColdStartOptions`). The figure of a
    trial is :meth:`parsimony.tasks.coldstart.ColdStartTask.skill`.
    """
    given = dict(settings or {})
    seed = int(given.pop("seed", seed))
    named = [name for name in SearchSettings.model_fields if name in given]
    search_settings = SearchSettings.of({name: given.pop(name) for name in named})
    rungs = given.pop("ladder", None)
    if "formula" in given:
        raise UnknownParameter("a search chooses the formula", remedy="use parsimony fit --formula")
    options = list(ColdStartOptions.model_fields)
    require_known(given, [*ColdNAS.Parameters.model_fields, *options])
    own = {name: given.pop(name) for name in options if name in given}
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
    ladder = ladder_of(rungs or (half if p.epochs > 1 else half[:1]), Rung(p.dim, p.epochs))
    folder, space = Path(out), ModulationSpace()
    require_room(folder, resume)
    subject = {
        "space": space.name, "data": task.data.content_hash, "name": task.data.name,
        "options": task.options.model_dump(),
        "trainer": {k: v for k, v in p.model_dump(mode="json").items() if k not in _FREE},
    }  # fmt: skip
    shared = {k: v for k, v in given.items() if k not in ("dim", "epochs")}
    screen = FormulaScreen(task, p, seed, folder / "search", quiet)
    with TrialLedger(folder / "search", subject, resume=resume) as ledger:
        found = search_space(
            space, FormulaTrial(task, shared), ledger, budget=budget, ladder=ladder,
            algorithm=algorithm, settings=search_settings, seed=seed,
            engine=engine or LocalEngine(), on_trial=on_trial, screen=screen,
        )  # fmt: skip
        if on_searched is not None:
            on_searched()
        winner: Formula = found.structure
        finalists = {winner.name or "found": winner}
        others = [name for name in by_rung(found.named) if Formula.parse(name) != winner]
        others.sort(key=lambda name: name != "FiLM")  # the usual choice is always compared first
        finalists |= {name: Formula.parse(name) for name in others[:compare]}
        runs: dict[str, tuple[Any, dict[str, Any]]] = {}
        for name, formula in finalists.items():
            runs[name] = fit(
                task.data, "coldnas", resume=True, seed=seed, time_budget=train_budget,
                out=folder / "search" / "runs" / name, quiet=quiet,
                parameters={**given, **own, "formula": str(formula)},
            )  # fmt: skip
    skills = {name: model.skill() for name, (model, _) in runs.items()}
    best = max(skills, key=lambda name: skills[name])
    summary = {
        "run": str(folder),
        "space": space.name,
        "found": next(iter(finalists)),
        "best": {
            "formula": str(finalists[best]), "name": finalists[best].name, "valid": skills[best],
            "operators": finalists[best].n_operators, "latex": finalists[best].latex(),
        },
        "trials": len(found.trials),
        "algorithm": algorithm,
        "ladder": [rung.to_list() for rung in ladder],
        "comparison": _comparison(finalists, runs, skills, best),
        "named": {name: short(trial) for name, trial in found.named.items()},
        "ranking": screen.summary(finalists | Formula.named())
        if algorithm == "supernet" else None,
        "predictor": found.predictor,
        "rungs": found.rungs,
        "exhausted": found.exhausted,
        "seconds": seconds_of(found.trials, runs, best),
        "notes": list(task.data.notes),
    }  # fmt: skip
    publish(folder, Path(runs[best][1]["run"]), summary)
    return load_run(folder), summary


def _comparison(
    finalists: dict[str, Formula], runs: dict[str, Any], skills: dict[str, float], best: str
) -> list[dict[str, Any]]:
    """The finalists, with intervals over users, and the paired difference to the best one.

    ``difference`` is this one's error less the best one's (mse, mae), or the best one's gain less
    this one's (ndcg), user by user: positive where the best one is better.
    """
    rows: list[dict[str, Any]] = []
    measured: dict[str, dict[str, Any]] = {}
    for name, (model, summary) in runs.items():
        task = model.task_
        splits = [split for split in ("valid", "test") if task.has(split)]
        measured[name] = {split: model.by_user(split) for split in splits}
        rows.append({
            "name": name, "formula": str(finalists[name]), "run": summary["run"],
            "operators": finalists[name].n_operators, "parameters": summary["parameters"],
            "epochs": summary["epochs"], "seconds": summary["seconds"], "skill": skills[name],
            **{split: task.summary(found) for split, found in measured[name].items()},
        })  # fmt: skip
    for row in rows:
        if row["name"] == best:
            continue
        row["difference"] = {
            split: runs[best][0].task_.gains(measured[best][split], found)
            for split, found in measured[row["name"]].items()
        }
    return rows
