"""``--method auto``: the problem's methods race for one budget.

What needs no epochs runs first, then the others from small to large, each for a part of the time;
the better half goes on, from its checkpoint, with a learning rate that rises and falls once more
(warm restarts), until one is left. Then :mod:`parsimony.search.simplest` decides: the simplest
model that is not worse than the best. Only validation is looked at before that.

The run folder holds ``search/trials.jsonl`` (a row for each heat), ``search/runs/`` (a run folder
for each method), ``race.json``, and beside them the files of the winner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from annotated_types import Ge
from typing_extensions import TypedDict

from parsimony.base import Estimator, Task
from parsimony.decoding import checked, load_array, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import (
    CorruptRun,
    EmptySplit,
    InvalidParameter,
    ParsimonyError,
    TrainingDiverged,
)
from parsimony.methods import load_run, resolve
from parsimony.pipeline import complete, keep
from parsimony.problems import kind_of, open_task, problem
from parsimony.run.atomic import require_no_links, write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.folder import RunFolder
from parsimony.search.heat import Entrant, Heat, run_heat
from parsimony.search.settings import Rung
from parsimony.search.simplest import Contender, Verdict, Wanted, choose, difference
from parsimony.search.trial import Trial
from parsimony.search.trials import TrialStore
from parsimony.search.winner import publish, require_room

__all__ = ["DEFAULT_SECONDS", "RaceRequest", "Row", "race", "settles"]

AnyEstimator = Estimator[Any, Any]

#: where no budget is given
DEFAULT_SECONDS = 600.0
#: of the budget: what methods without epochs may take, and what the first heats of the others get
_COUNTING, _FIRST = 0.2, 0.4
#: of the budget, what the end may take at most
_ENDING = 0.25
#: units compared at most, per second of budget and thousand labels: enough where ranking is fast
_UNITS, _FEWEST = 1e5, 500
#: settings of a race that every entrant gets where it has them
_SHARED = ("seed", "threads")
#: settings that every entrant gets where it has them: time, not their number, ends epochs
_PATIENT = {"epochs": 200, "patience": 60}


class _Units(TypedDict):
    """How many units are compared."""

    units: Annotated[int, Ge(1)]


class _Told(TypedDict):
    """What is kept of a heat beside its trial and its draws."""

    parameters: int
    rules: int
    size: int
    epochs: int
    ranking: float
    ended: str
    notes: list[str]


@dataclass(frozen=True)
class RaceRequest:
    """One race: what on, for how long, and where to.

    Attributes
    ----------
    data, task
        As :func:`parsimony.pipeline.fit` takes them; ``task`` names the kind of problem where the
        data do not.
    seconds, began
        Of the whole race, over all its resumed parts, the final ranking included, counted from
        that moment of :func:`time.perf_counter`; from now on where left out.
    wanted
        "auto": the simplest model that is not worse than the best; "simplest", "best": see
        :func:`parsimony.search.simplest.choose`.
    settings
        Options of the task, and ``seed`` and ``threads``.
    methods
        That race; by default those of the problem.
    epochs
        Most epochs of each.
    on_heat
        Called with the rows as they stand after every heat.
    """

    data: Any
    out: Path | str
    seconds: float = DEFAULT_SECONDS
    began: float | None = None
    wanted: Wanted = "auto"
    task: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    methods: Sequence[str] | None = None
    epochs: int | None = None
    device: str = "cpu"
    engine: Engine | None = None
    resume: bool = False
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    quiet: bool = True
    on_heat: Callable[[Sequence[Row]], None] | None = None


@dataclass
class Row:
    """How a method stands.

    Attributes
    ----------
    heats
        That it was trained in.
    state
        "waiting", "racing", "dropped", "finished" or "failed", and why.
    """

    entrant: Entrant
    heat: Heat | None = None
    heats: int = 0
    seconds: float = 0.0
    state: str = "waiting"
    why: str = ""

    @property
    def name(self) -> str:
        """Of the method."""
        return self.entrant.method

    @property
    def contender(self) -> Contender | None:
        """As what it can be chosen."""
        if self.heat is None or self.heat.error is not None:
            return None
        return Contender(self.name, self.heat.draws, self.heat.size, self.seconds)


def race(request: RaceRequest) -> tuple[AnyEstimator, dict[str, Any]]:
    """Let the methods race, complete the winner, and write the run folder.

    Returns
    -------
    estimator, summary
        The winner, and what race.json holds: ``run, method, parameters, bytes, rules, sentence,
        second, rows, budget, seconds, valid, notes, ended``.

    Raises
    ------
    InvalidParameter
        A setting that is neither an option of the task nor ``seed`` or ``threads``.
    EmptySplit
        Nothing to validate on.
    RunExists, LedgerMismatch
        The folder belongs to something else.
    TrainingDiverged
        No method could be trained.
    """
    return _Race(request).run()


def settles(settings: Mapping[str, Any], kind: str) -> list[str]:
    """The settings that a race chooses itself: those of a method."""
    options = problem(kind).part("task").Options
    return [name for name in settings if name not in _SHARED and not options.has(name)]


class _Race:
    def __init__(self, request: RaceRequest) -> None:
        self.request, self.folder = request, Path(request.out)
        self.deadline = Deadline(request.seconds, began=request.began)
        columns = request.columns
        kind = request.task or kind_of(request.data, None, columns) or "link"
        of = problem(kind)
        settings = dict(request.settings)
        if chosen := settles(settings, kind):
            raise InvalidParameter(
                f"a race chooses the parameters: {', '.join(chosen)} cannot be set",
                remedy=f"name the method as well, such as --method {of.default}",
            )
        self.seed = int(settings.get("seed", request.seed))
        self.shared = {k: v for k, v in settings.items() if k in _SHARED} | {"seed": self.seed}
        own = {name: value for name, value in settings.items() if name not in _SHARED}
        self.own = own
        able = [m for m in of.race if request.device.partition(":")[0] in resolve(m).devices]
        resolve((able or of.race)[-1]).check_call(device=request.device)
        task = open_task(
            kind, request.data, own, mirror=request.mirror, columns=columns, seed=self.seed
        )
        self.task: Task = task.unregistered()  # every graph is a stranger's
        self.methods = tuple(request.methods or of.race)
        self.rows = [Row(self._entrant(method)) for method in self.methods]
        labels = max(self.task.n_labels, 1)
        self.units = max(_FEWEST, int(request.seconds * _UNITS / labels))
        self.asks = self.task.count("valid"), self.task.count("test")
        self.notes: list[str] = []
        self.at = 0.0

    def _entrant(self, method: str) -> Entrant:
        options = set(resolve(method).Parameters.model_fields)
        protocol = {name: value for name, value in self.own.items() if name in options}
        return Entrant(method, {**_PATIENT, **self.shared, **protocol})

    # ---- the race ----------------------------------------------------------------------------

    def run(self) -> tuple[AnyEstimator, dict[str, Any]]:
        require_room(self.folder, self.request.resume)
        store = TrialStore(self.folder / "search", self._subject(), resume=self.request.resume)
        with store:
            require_no_links(self.folder)
            self.store = store
            # Wall time goes on where the last part of this race ended.
            self.deadline = self.deadline.after(max((trial.at for trial in store), default=0.0))
            self._same_units()
            self._enter()
            self._without_epochs()
            self._halve()
            summary = self._finish()
        return load_run(self.folder), summary

    def _subject(self) -> dict[str, Any]:
        data = self.task.data  # type: ignore[attr-defined]
        return {
            "space": "race", "data": data.content_hash, "name": data.name,
            "options": self.task.config(), "seed": self.seed, "methods": list(self.methods),
        }  # fmt: skip

    def _same_units(self) -> None:
        """All heats are compared on the same units, also where a budget changes on the way."""
        kept = self.folder / "search" / "draws" / "units.json"
        kept.parent.mkdir(exist_ok=True)
        if kept.exists():
            found = read_json(kept, error=CorruptRun)
            self.units = checked(_Units, {"units": found}, str(kept), error=CorruptRun)["units"]
        else:
            write_atomic(kept, json_text(self.units))

    def _enter(self) -> None:
        """Leave out methods that cannot learn this task."""
        if not self.asks[0]:
            raise EmptySplit(
                "the valid split is empty", remedy="a race selects on it; name a --method instead"
            )
        for row in self.rows:
            try:
                row.entrant.estimator().prepare(self.task)
            except ParsimonyError as error:
                row.state, row.why = "left out", error.message
                self.notes.append(f"{row.name} does not take part: {error.message}")

    def _open(self, *, iterated: bool) -> list[Row]:
        return [
            row for row in self.rows
            if row.state in ("waiting", "racing") and row.entrant.iterated == iterated
        ]  # fmt: skip

    def _without_epochs(self) -> None:
        """What counts instead of training, the whole of it."""
        rows = self._open(iterated=False)
        self._heat(rows, min(_COUNTING, 0.5 / max(len(rows), 1)) * self.deadline.left())
        for row in rows:
            if row.state == "racing":
                row.state = "finished"

    def _halve(self) -> None:
        """Successive halving over the methods that are trained in epochs."""
        share = _FIRST
        while rows := self._open(iterated=True):
            left = self.deadline.left() - self._reserve()
            if left <= 0:
                for row in rows:
                    row.state = "finished" if row.heats else "left out"
                    row.why = row.why or "the time was over"
                break
            last = len(rows) == 1
            each = left * (1.0 if last else share) / len(rows)
            self._heat(rows, each)
            for row in self._open(iterated=True):
                heat = row.heat
                if heat is not None and heat.ended != "time budget":
                    row.state = "finished"  # more time would not make it better
            if last:
                for row in self._open(iterated=True):
                    row.state = "finished"
            self._drop()
            share = 0.5

    def _drop(self) -> None:
        """Half of those that could go on do, the better ones."""
        rows = self._open(iterated=True)
        if len(rows) < 2:
            return
        rows.sort(key=lambda row: -_valid(row))
        kept = math.ceil(len(rows) / 2)
        for row in rows[kept:]:
            row.state = "dropped"
            row.why = f"after heat {row.heats}: {rows[0].name} was better"

    def _heat(self, rows: Sequence[Row], seconds: float) -> None:
        """Train each for so many seconds more, or look up what came of it before."""
        asked: list[Row] = []
        for row in rows:
            known = self.store.find(self._key(row), self.seed, Rung(1, 1))
            if known is None:
                asked.append(row)
            else:
                self._take(row, self._remembered(row, known))
        jobs = [
            {
                "entrant": row.entrant, "folder": self.folder / "search" / "runs" / row.name,
                "seconds": seconds,
            }
            for row in asked
        ]  # fmt: skip
        if not jobs:
            return
        function = partial(
            run_heat, self.task, units=self.units, device=self.request.device,
            epochs=self.request.epochs, quiet=self.request.quiet,
        )  # fmt: skip
        engine = self.request.engine or LocalEngine()
        for row in asked:
            row.state = "racing"

        def go_on() -> bool:  # the first answer comes however late it is
            return self.deadline.left() > 0 or all(row.heat is None for row in self.rows)

        for number, heat in engine.run(function, jobs, go_on):
            row = asked[number]
            self._keep(row, heat)
            self._take(row, heat)
        for row in asked:
            if row.heat is None:
                row.state, row.why = "left out", "the time was over"

    def _key(self, row: Row) -> str:
        return f"{row.name}, heat {row.heats + 1}"

    def _draws(self, row: Row) -> Path:
        return self.folder / "search" / "draws" / f"{row.name}-{row.heats + 1}.npy"

    def _keep(self, row: Row, heat: Heat) -> None:
        """Store what came of a heat."""
        array = BytesIO()
        np.save(array, heat.draws)
        path = self._draws(row)
        write_atomic(path, array.getvalue())
        told = {
            name: getattr(heat, name) for name in
            ("parameters", "rules", "size", "epochs", "ranking", "ended", "notes")
        }  # fmt: skip
        write_atomic(path.with_suffix(".json"), json_text(told))
        self.at = self.deadline.spent()
        self.store.append(
            Trial(
                structure=row.name, canonical=self._key(row), seed=self.seed, epochs=1, dim=1,
                valid=float(heat.draws[0]), seconds=heat.seconds, parameters=heat.parameters,
                ran=heat.epochs, stage=f"heat {row.heats + 1}", origin="start", predicted=None,
                at=self.at, error=heat.error,
            )
        )  # fmt: skip

    def _remembered(self, row: Row, trial: Trial) -> Heat:
        """A heat that an earlier part of the race has run."""
        path = self._draws(row)
        kept = path.with_suffix(".json")
        told = read_json(kept, error=CorruptRun)
        told = dict(checked(_Told, told, str(kept), error=CorruptRun))
        told["notes"] = tuple(told["notes"])
        draws = np.asarray(load_array(path, error=CorruptRun), np.float64)
        return Heat(draws, seconds=trial.seconds, error=trial.error, **told)

    def _take(self, row: Row, heat: Heat) -> None:
        row.heat, row.heats = heat, row.heats + 1
        row.seconds += heat.seconds
        row.state = "racing"
        if heat.error is not None:
            row.state, row.why = "failed", heat.error
        if self.request.on_heat is not None:
            self.request.on_heat(self.rows)

    def _reserve(self) -> float:
        """Seconds that the end will take: blending, and ranking all of valid and test."""
        slowest = max((r.heat.ranking for r in self.rows if r.heat is not None), default=0.0)
        valid, test = self.asks
        whole = (valid + test) / max(min(self.units, valid), 1)
        members = 2 if problem(self.task.kind).blend else 1
        return 2.0 + min((3 + whole) * members * slowest, _ENDING * self.request.seconds)

    # ---- the end -----------------------------------------------------------------------------

    def _finish(self) -> dict[str, Any]:
        contenders = [c for row in self.rows if (c := row.contender) is not None]
        if not contenders:
            raise TrainingDiverged(
                "no method could be trained",
                remedy="give more time, or name a method: --method rules",
            )
        blended = self._blended(contenders)
        chosen, verdicts = choose([*contenders, *blended], self.request.wanted)
        folder = self.folder / "search" / "runs" / chosen.name
        estimator, measured = complete(folder, deadline=self.deadline, quiet=self.request.quiet)
        metrics = RunFolder.open(folder).read_json("metrics.json")
        rows = self._told([*contenders, *blended], verdicts)
        second = _second([*contenders, *blended], chosen)
        summary = {
            "run": str(self.folder),
            "method": chosen.name,
            "parameters": estimator.parameters_count_,
            "bytes": chosen.size,
            "rules": len(getattr(estimator, "rules_", ())),
            "wanted": self.request.wanted,
            "sentence": _sentence(chosen, estimator, contenders, self.request.wanted),
            "second": None if second is None else second.name,
            "measure": estimator.headline,
            "rows": rows,
            "compared": self._compared(),
            "budget": self.request.seconds,
            "valid": measured["valid"],
            "test": metrics.get("test", {}).get("metrics", {}),
            "ended": "time budget" if self.deadline.left() <= self._reserve() else "",
            "notes": [
                *measured["notes"], *self._compared(), *self.notes,
            ],
            "seconds": self.deadline.spent(),
        }  # fmt: skip
        publish(self.folder, folder, summary, told="race.json")
        return summary

    def _compared(self) -> list[str]:
        """Say on what the methods were compared."""
        n = self.asks[0]
        if n <= self.units:
            return []
        return [
            f"the methods are compared on {self.units:,} of {n:,} validation queries, drawn with "
            f"seed 0"
        ]

    def _blended(self, contenders: Sequence[Contender]) -> list[Contender]:
        """The blend of the two best, where it is better than the best with 95 %."""
        mixer = problem(self.task.kind).blend
        if not mixer or len(contenders) < 2 or self.deadline.left() < self._reserve():
            return []
        best, *others = sorted(contenders, key=lambda c: -c.valid)
        partner = next(
            (c for c in others if _family(c.name) != _family(best.name) and c.size), None
        )
        if partner is None:
            return []
        runs = [load_run(self.folder / "search" / "runs" / c.name) for c in (best, partner)]
        cls = cast(Any, resolve(mixer))
        blend, draws = cls.compared(runs, units=self.units, seed=self.seed)
        gap, low, _ = difference(draws, best.draws)
        if low <= 0:
            self.notes.append(
                f"a blend of {best.name} and {partner.name} is no better with 95 % "
                f"({gap:+.4f} on validation)"
            )
            return []
        folder = self.folder / "search" / "runs" / mixer
        with RunFolder.create(folder, blend.config(), resume=True) as run:
            keep(blend, run)
        seconds = best.seconds + partner.seconds
        size = blend.description_bytes()
        heat = Heat(draws, blend.parameters_count_, size=size)
        members = f"of {best.name} and {partner.name}"
        self.rows.append(Row(Entrant(mixer), heat, 1, seconds, "finished", members))
        return [Contender(mixer, draws, size, seconds)]

    def _told(
        self, contenders: Sequence[Contender], verdicts: Mapping[str, Verdict]
    ) -> list[dict[str, Any]]:
        by_name = {c.name: c for c in contenders}
        rows = []
        for row in self.rows:
            told: dict[str, Any] = {"method": row.name, "seconds": row.seconds, "heats": row.heats}
            contender, heat = by_name.get(row.name), row.heat
            if contender is None or heat is None:
                rows.append(told | {"verdict": row.state, "why": row.why})
                continue
            verdict = verdicts[row.name]
            why = "; ".join(filter(None, (verdict.why, row.why)))
            rows.append(told | {
                "parameters": heat.parameters, "rules": heat.rules, "bytes": contender.size,
                "epochs": heat.epochs, "valid": contender.valid,
                "interval": list(contender.interval),
                "behind": verdict.gap, "behind_interval": [verdict.low, verdict.high],
                "verdict": "chosen" if verdict.why == "chosen" else "dropped", "why": why,
            })  # fmt: skip
        return rows


def _valid(row: Row) -> float:
    return -1.0 if row.heat is None or row.heat.error else float(row.heat.draws[0])


def _family(method: str) -> str:
    """Methods of one module differ little: a blend of them gains nothing."""
    return resolve(method).__module__.rpartition(".")[0]


def _second(contenders: Sequence[Contender], chosen: Contender) -> Contender | None:
    others = [c for c in contenders if c is not chosen]
    return max(others, key=lambda c: c.valid, default=None)


def _sentence(
    chosen: Contender, estimator: AnyEstimator, contenders: Sequence[Contender], wanted: Wanted
) -> str:
    """What won, and by how much over the next simpler."""
    rules, parameters = len(getattr(estimator, "rules_", ())), estimator.parameters_count_
    if rules:
        what = f"rules alone explain it: {rules:,} rules, no weights"
    elif not parameters:
        what = f"{chosen.name} alone explains it: no parameters"
    else:
        members = [member.method for member in getattr(estimator, "members_", ())]
        of = f" of {' and '.join(members)}" if members else ""
        what = f"{chosen.name}{of}, {parameters:,} parameters"
    simpler = [c for c in contenders if c.size < chosen.size]
    if simpler:
        near = max(simpler, key=lambda c: c.valid)
        gap, low, high = difference(chosen.draws, near.draws)
        where = "above" if gap >= 0 else "below"
        what += f", {abs(gap):.3f} {where} {near.name} ({low:+.3f} to {high:+.3f})"
    larger = [c for c in contenders if c.size > chosen.size and c.valid > chosen.valid]
    if larger and wanted == "auto":
        best = max(larger, key=lambda c: c.valid)
        gap, _, _ = difference(best.draws, chosen.draws)
        what += f"; {best.name} is larger and not better with 95 % ({gap:+.3f})"
    return what
