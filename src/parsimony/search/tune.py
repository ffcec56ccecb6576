"""Hyper-parameters of any method within a budget: what ``parsimony tune`` does.

The defaults are tried first, then what Optuna's sampler proposes, each for a part of a training;
the best are trained longer, and the best of these to the end, beside the defaults. On a large graph
a first stage on a part of it says which settings enter the whole (KGTuner, ACL 2022, section 4).

The run folder is that of a search: ``search/trials.jsonl`` (the trials), ``search/plan.json`` (what
a training costs), ``search/runs/`` (the two trainings to the end), ``tune.json`` (what was found)
and beside them the files of the better run. Only validation is looked at before these two are
compared, which also tells their test figures.
"""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from parsimony.base import Data, Estimator, Task, Tuned
from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun, EmptySplit, InvalidMeasure, TrainingDiverged, UsageError
from parsimony.methods import load_run, resolve
from parsimony.pipeline import fit
from parsimony.problems import open_task
from parsimony.run.atomic import require_no_links, write_atomic
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.folder import RunFolder
from parsimony.run.renamed import present_name
from parsimony.run.seeds import seed_of
from parsimony.search.measuring import Measuring, guarded
from parsimony.search.method_trial import MethodTrial, SettingsText, settings_of
from parsimony.search.settings import Budget, Rung
from parsimony.search.simplest import difference
from parsimony.search.tpe import Settings, require_optuna
from parsimony.search.trial import Measured, Trial
from parsimony.search.trials import TrialStore
from parsimony.search.tune_plan import (
    FINAL,
    KEEP,
    LOWEST,
    PART,
    PART_LABELS,
    PART_SHARE,
    PROBED,
    Plan,
    planned,
)
from parsimony.search.tune_walk import TuneWalk, ranked_on
from parsimony.search.winner import publish, require_room

__all__ = ["TuneRequest", "TuneResult", "run_tune"]

AnyEstimator = Estimator[Any, Any]

#: what the comparison tells of a split: by how much the tuned one is better
_GAP = ("difference", "low", "high")
#: settings that change what a training costs, not what it learns
_FREE = frozenset({"epochs", "seed", "threads"})


@dataclass(frozen=True)
class TuneRequest:
    """One tuning: which method on what, within which budget, and where to.

    Parameters
    ----------
    data
        A registered name, a dataset folder, a file, or loaded data.
    method
        A registered method.
    out
        Run folder.
    budget
        Wall seconds of everything, the last trainings included, or most trials.
    settings
        Of the method and the task, as in ``fit``: what is given is not tuned.
    engine
        Where trials run; in this process by default.
    resume
        Go on with the tuning in ``out``.
    mirror, columns
        How the data are read.
    seed
        Of everything random, where the settings have none.
    begun
        When the budget began, by :func:`time.perf_counter`; by default when the tuning does.
    on_plan
        Called with a sentence: how many trials fit.
    on_trial, on_searched
        Called with every trial, and before the last trainings.
    """

    data: str | os.PathLike[str] | Data
    method: str
    out: Path | str
    budget: Budget
    settings: Mapping[str, Any] = field(default_factory=dict)
    engine: Engine | None = None
    resume: bool = False
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    quiet: bool = True
    begun: float | None = None
    on_plan: Callable[[str], None] | None = None
    on_trial: Callable[[Trial], None] | None = None
    on_searched: Callable[[], None] | None = None


@dataclass(frozen=True)
class TuneResult:
    """A method that was trained to the end with some settings."""

    settings: Settings
    estimator: AnyEstimator
    summary: dict[str, Any]
    figure: float


def run_tune(request: TuneRequest) -> tuple[AnyEstimator, dict[str, Any]]:
    """Tune a method, train the settings found to the end, and write the run folder.

    Returns
    -------
    estimator, summary
        The better of settings found and defaults on validation, and what tune.json holds: ``run,
        method, found, best, selected_by, settings, line, trials, tuned, plan, seconds, notes,
        comparison, measure, difference``. ``line`` is the command that repeats the training.

    Raises
    ------
    UsageError
        A method with nothing to tune, or whose tuned parameters are all given.
    UnknownParameter, InvalidParameter
        Settings.
    EmptySplit
        Nothing to validate on.
    RunExists, LedgerMismatch
        The folder belongs to something else.
    MissingExtra
        Optuna is not installed.

    Examples
    --------
    >>> from parsimony.search import Budget, TuneRequest, run_tune  # doctest: +SKIP
    >>> request = TuneRequest("umls", "complex", "tuned", Budget(seconds=600))  # doctest: +SKIP
    >>> model, summary = run_tune(request)  # doctest: +SKIP
    """
    return _Tuning(request).run()


class _Tuning:
    """A tuning, from the request to the run folder."""

    def __init__(self, request: TuneRequest) -> None:
        self._begin = time.perf_counter() if request.begun is None else request.begun
        require_optuna()
        self.request, self.folder = request, Path(request.out)
        self.engine: Engine = request.engine or LocalEngine()
        cls = resolve(request.method)
        if not cls.Parameters.tunable():
            raise UsageError(
                f"method {request.method!r} has nothing to tune: what it leaves open it selects on "
                "validation by itself",
                remedy=f"parsimony fit DATA --method {request.method}",
            )
        options, fields = cls.Task.Options, cls.Parameters.model_fields
        self.given = {present_name(k, fields): v for k, v in request.settings.items()}
        self.seed = seed_of(self.given, request.seed)
        self.own = {k: v for k, v in self.given.items() if not options.has(k)}
        seed = {"seed": self.seed} if "seed" in fields else {}
        self.model = cls(**{**seed, **self.own})
        task = open_task(
            cls.kind, request.data, self.given, mirror=request.mirror, columns=request.columns,
            seed=self.seed,
        )  # fmt: skip
        self.model.prepare(task)
        self.task: Task = self.model.task_
        self.data: Data = self.model.task_.data
        if not self.task.count("valid"):
            raise EmptySplit(
                f"the valid split of {self.data.name} is empty", remedy="tuning selects on it"
            )
        resolved = self.model.resolved_
        self.default: Settings = {
            name: getattr(resolved, name)
            for name in cls.Parameters.tunable()
            if name not in self.given
        }
        if not self.default:
            raise UsageError(
                f"all that is tuned of method {request.method!r} is given: "
                f"{', '.join(cls.Parameters.tunable())}",
                remedy="leave out a --set, or train with parsimony fit",
            )
        self.ranges: dict[str, Tuned] = {
            name: cls.Parameters.tunable()[name].holding(value)
            for name, value in self.default.items()
        }
        self.notes = list(self.task.notes)

    def _subject(self) -> dict[str, Any]:
        """What the trials have in common; a store of others is refused."""
        parameters = self.model.resolved_.model_dump(mode="json")
        fixed = {k: v for k, v in parameters.items() if k not in _FREE and k not in self.ranges}
        return {
            "space": f"settings of {self.request.method}",
            "data": self.data.content_hash,
            "name": self.data.name,
            "task": self.task.config(),
            "trainer": fixed,
            "tuned": {name: str(how) for name, how in self.ranges.items()},
        }

    # ---- the whole ---------------------------------------------------------------------------

    def run(self) -> tuple[AnyEstimator, dict[str, Any]]:
        """See :func:`run_tune`."""
        request = self.request
        require_room(self.folder, request.resume)
        with TrialStore(self.folder / "search", self._subject(), resume=request.resume) as store:
            require_no_links(self.folder)
            before = max((trial.at for trial in store), default=None)
            threads = {"threads": 1} if self.engine.slots > 1 and self._threaded else {}
            self.evaluate = MethodTrial(self.task, request.method, {**self.own, **threads})
            self.plan = self._planned(store)
            #: seconds that earlier parts of this tuning took
            self._earlier = 0.0 if before is None else self.plan.before + before
            if self.budget and request.on_plan is not None:
                request.on_plan(self.plan.told(self.budget, self.engine.slots))
            measuring = Measuring(
                SettingsText(), self.evaluate, store, self.engine, request.budget, self.seed,
                request.on_trial,
            )  # fmt: skip
            self._search(measuring, store)
            if request.on_searched is not None:
                request.on_searched()
            spent = self.plan.before + measuring.spent[1]
            results = self._trained(self._best(measuring.trials), spent)
            best = max(results, key=lambda name: results[name].figure)
            summary = self._summary(results, best, measuring.trials)
            publish(self.folder, Path(results[best].summary["run"]), summary, told="tune.json")
        return load_run(self.folder), summary

    @property
    def budget(self) -> float | None:
        """Wall seconds of everything."""
        return self.request.budget.seconds

    @property
    def _threaded(self) -> bool:
        return "threads" in type(self.model).Parameters.model_fields

    def _planned(self, store: TrialStore) -> Plan:
        """The plan of an earlier part, or a new one, for which a short training is timed."""
        kept = self.folder / "search" / "plan.json"
        how: dict[str, Any] = {"error": CorruptRun, "remedy": "remove it"}
        if kept.exists():
            return checked(Plan, read_json(kept, **how), str(kept), **how)
        full, look, first = None, 0.0, None
        if self.budget and not self._iterated:
            first = guarded(self.evaluate, self.default, seed=self.seed, epochs=1, dim=1,
                             seconds=FINAL * self.budget)  # fmt: skip
            full = first[0].seconds
        elif self.budget:
            full, look = self._probed(self.budget)
        plan = planned(
            getattr(self.model.resolved_, "epochs", None), full, look, budget=self.budget,
            slots=self.engine.slots, parts=self._iterated, part=self._part(),
        )  # fmt: skip
        plan = replace(plan, before=time.perf_counter() - self._begin)
        write_atomic(kept, json_text(asdict(plan), indent=1) + "\n")
        if first is not None:
            store.append(_first_trial(self.default, self.seed, plan.rungs[0], *first))
        return plan

    @property
    def _iterated(self) -> bool:
        """Whether the method learns step by step, so that a short training says something."""
        return not {"epochs", "patience"}.isdisjoint(type(self.model).Parameters.model_fields)

    def _probed(self, budget: float) -> tuple[float, float]:
        """Seconds of a training to the end and of a ranking of validation, by a short training.

        By the second one: the first may have compiled kernels.
        """
        try:
            for _ in range(2):
                begin = time.perf_counter()
                model = self.evaluate.trained({}, self.seed, 1, PROBED * budget / 2)
        except (TrainingDiverged, InvalidMeasure):  # the trials may find what can be trained
            return FINAL * budget, 0.0
        seconds = time.perf_counter() - begin
        epochs = getattr(self.model.resolved_, "epochs", None)
        last = model.history_[-1] if model.history_ else {}
        if epochs is None or "train_seconds" not in last:
            begin = time.perf_counter()
            model.selection_score()
            cut = model.ended_ == "time budget"
            return (FINAL * budget if cut else seconds), time.perf_counter() - begin
        look = float(last["seconds"]) - float(last["train_seconds"])
        return epochs * (float(last["train_seconds"]) / last.get("part", 1.0) + look), look

    def _part(self) -> float | None:
        """The part of the data that stands for the whole; None where they are few, or have none."""
        if self.task.n_labels < PART_LABELS:
            return None
        try:
            return None if self.task.part(PART, seed=self.seed) is None else PART
        except EmptySplit:
            return None

    # ---- trials ------------------------------------------------------------------------------

    def _search(self, measuring: Measuring[Settings], store: TrialStore) -> None:
        """The defaults, what a part of the graph suggests, what the sampler proposes, the best."""
        walk = TuneWalk(
            self.ranges, self.plan, self.request.budget, slots=self.engine.slots, seed=self.seed,
            measuring=measuring, store=store,
        )  # fmt: skip
        first = [self.default]
        if self.plan.part is not None:
            rung = self.plan.part_rung
            walk.explore(rung, first, "part", PART_SHARE)
            first += [walk.settings[t.canonical] for t in ranked_on(measuring.trials, rung)[:KEEP]]
            self.notes.append(
                f"the first trials saw {rung.entities:.0%} of the entities; their best settings "
                "entered the whole graph"
            )
        low, *higher = self.plan.rungs
        walk.explore(low, first, "search", LOWEST if higher else 1.0)
        for level, rung in enumerate(higher, start=1):
            walk.climb(low, rung, f"rung {level}", share=1.0)
            while walk.explore(low, [], "search", 1.0, most=KEEP):
                walk.climb(low, rung, f"rung {level}", share=1.0, most=1)

    def _best(self, trials: Sequence[Trial]) -> Settings:
        """The settings that were best, by the longest trials there were."""
        for rung in reversed(self.plan.rungs):
            if ranked := ranked_on(trials, rung):
                return settings_of(ranked[0])
        raise TrainingDiverged(
            "no trial could be trained", remedy="lower the learning rate (--set lr=)"
        )

    # ---- the trainings to the end ------------------------------------------------------------

    def _trained(self, found: Settings, spent: float) -> dict[str, TuneResult]:
        """The settings found and the defaults, each trained to the end within what is left."""
        wanted: dict[str, Settings] = {"default": {}}
        if changed := self._changed(found):
            wanted = {f"tuned-{_digest(changed)}": changed, **wanted}
        results: dict[str, TuneResult] = {}
        ranking = 0.0
        for place, (name, settings) in enumerate(wanted.items()):
            limit = None
            if self.budget is not None:
                # On a busy machine the clock may be further than the trials say.
                now = self._earlier + time.perf_counter() - self._begin
                alone = self.plan.final(self.budget, spent) * 2 / len(wanted)
                behind = len(wanted) - place
                left = (
                    self.budget
                    - now
                    - (2 * ranking + 0.5 if place else self.plan.reserve(self.budget))
                )
                limit = max(min(alone, left / behind), 1.0)
            begin = time.perf_counter()
            results[name] = self._finished(name, settings, limit)
            trained = float(results[name].summary["seconds"])
            ranking = max(time.perf_counter() - begin - trained, 0.0)
        return results

    def _finished(self, name: str, settings: Settings, limit: float | None) -> TuneResult:
        folder = self.folder / "search" / "runs" / name
        if limit is not None and (folder / "checksums.json").exists():
            before = (RunFolder.open(folder).read_json("summary.json") or {}).get("time_budget")
            # What little a resumed tuning has more is not worth another epoch.
            limit = before if before and limit < 1.1 * before else limit
        estimator, summary = fit(
            self.data, self.request.method, seed=self.seed, resume=True, quiet=self.request.quiet,
            parameters={**self.given, **settings}, out=folder, time_budget=limit,
        )  # fmt: skip
        found = (RunFolder.open(folder).read_json("metrics.json") or {}).get("valid", {})
        figure = found.get("metrics", {}).get(estimator.selected_by)
        if figure is None:
            figure = estimator.selection_score()
        return TuneResult(settings, estimator, summary, float(figure))

    def _changed(self, settings: Settings) -> Settings:
        """What differs from the defaults."""
        return {name: value for name, value in settings.items() if value != self.default[name]}

    # ---- what was found ----------------------------------------------------------------------

    def _summary(
        self, results: Mapping[str, TuneResult], best: str, trials: Sequence[Trial]
    ) -> dict[str, Any]:
        rows = [self._row(name, result) for name, result in results.items()]
        found, gaps = next(iter(results)), {}
        if len(results) == 2:
            tuned, default = (result.estimator for result in results.values())
            for split in ("valid", "test"):
                if self.task.count(split):
                    draws = (model.resampled(split) for model in (tuned, default))
                    gaps[split] = dict(zip(_GAP, difference(*draws), strict=True))
        else:
            self.notes.append("no setting that was tried was better than the defaults")
        kept = results[best]
        return {
            "run": str(self.folder),
            "method": self.request.method,
            "found": found,
            "best": best,
            "selected_by": kept.estimator.selected_by,
            "settings": kept.settings,
            "line": self._line(kept),
            "trials": len(trials),
            "tuned": {name: str(how) for name, how in self.ranges.items()},
            "plan": asdict(self.plan),
            "seconds": {
                "search": max((trial.at for trial in trials), default=0.0),
                "trials": sum(trial.seconds for trial in trials),
                "final": sum(float(each.summary["seconds"]) for each in results.values()),
                "all": self._earlier + time.perf_counter() - self._begin,
            },
            "notes": self.notes,
            "comparison": rows,
            "measure": kept.estimator.compared_by,
            "difference": gaps,
        }

    def _row(self, name: str, result: TuneResult) -> dict[str, Any]:
        measured = RunFolder.open(result.summary["run"]).read_json("metrics.json") or {}
        told = ("run", "parameters", "epochs", "best_epoch", "ended", "seconds", "time_budget")
        return {
            "name": name,
            "settings": result.settings,
            "figure": result.figure,
            **{key: result.summary.get(key) for key in told},
            **{split: measured[split]["metrics"] for split in measured},
        }

    def _line(self, result: TuneResult) -> str:
        """The command that repeats a training."""
        request, data = self.request, self.request.data
        words = ["parsimony", "fit", os.fspath(data) if isinstance(data, (str, os.PathLike))
                 else self.data.name, "--method", request.method]  # fmt: skip
        for name, value in {**self.given, **result.settings}.items():
            words += ["--set", f"{name}={value if isinstance(value, str) else json_text(value)}"]
        if request.columns is not None:
            words += ["--columns", ",".join(request.columns)]
        if request.mirror is not None:
            words += ["--mirror", request.mirror]
        if self.seed and "seed" not in self.given:
            words += ["--seed", str(self.seed)]
        if result.summary["ended"] == "time budget" and result.summary["time_budget"]:
            words += ["--time-budget", f"{math.ceil(result.summary['time_budget'])}s"]
        return shlex.join(words)


def _first_trial(
    settings: Settings, seed: int, rung: Rung, found: Measured, error: str | None
) -> Trial:
    """The row of the trial that was measured while the plan was made."""
    text = SettingsText.text(settings)
    return Trial(
        text, text, seed, rung.epochs, rung.dim, found.valid_mrr, found.seconds, found.parameters,
        found.epochs, "search", "default", None, 0.0, error, limit=rung.seconds,
    )  # fmt: skip


def _digest(settings: Settings) -> str:
    """A short name of settings."""
    return hashlib.sha256(SettingsText.text(settings).encode()).hexdigest()[:8]
