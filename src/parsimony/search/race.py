"""``--method auto``: the problem's methods race for one budget.

What needs no epochs runs first, then the others from small to large, each for a part of the time;
the better half goes on, from its checkpoint, with a learning rate that rises and falls once more
(warm restarts), until one is left. Then :mod:`parsimony.search.simplest` decides: the simplest
model that is not worse than the best. Only validation is looked at before that. An interruption
ends the heat that runs, and the winner is chosen among what there is.

The run folder holds ``search/trials.jsonl`` (a row for each heat), ``search/runs/`` (a run folder
for each method), ``race.json``, and beside them the files of the winner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from parsimony.base import Estimator, Task
from parsimony.errors import (
    EmptySplit,
    InvalidParameter,
    ParsimonyError,
    TrainingDiverged,
)
from parsimony.methods import load_run, resolve
from parsimony.pipeline import complete, keep
from parsimony.problems import kind_of, open_task, problem
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.folder import RunFolder
from parsimony.run.seeds import seed_of
from parsimony.search.heat import STOPPED, TIME, Entrant, Heat, Row, run_heat
from parsimony.search.heat_store import HeatStore
from parsimony.search.race_words import rows_of, sentence
from parsimony.search.simplest import Contender, Wanted, choose, difference
from parsimony.search.winner import publish, require_room
from parsimony.stopping import ending, held, stopped

__all__ = ["DEFAULT_SECONDS", "RaceRequest", "race", "settles"]

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


def race(request: RaceRequest) -> tuple[AnyEstimator, dict[str, Any]]:
    """Let the methods race, complete the winner, and write the run folder.

    Returns
    -------
    estimator, summary
        The winner, and what race.json holds: ``run, method, parameters, description_bytes, rules,
        sentence,
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
        self.seed = seed_of(settings, request.seed)
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
        self.broken_off = False
        self.notes: list[str] = []

    def _entrant(self, method: str) -> Entrant:
        options = set(resolve(method).Parameters.model_fields)
        protocol = {name: value for name, value in self.own.items() if name in options}
        return Entrant(method, {**_PATIENT, **self.shared, **protocol})

    # ---- the race ----------------------------------------------------------------------------

    def run(self) -> tuple[AnyEstimator, dict[str, Any]]:
        require_room(self.folder, self.request.resume)
        resume = self.request.resume
        with HeatStore(self.folder, self._subject(), resume=resume, seed=self.seed) as self.store:
            # Wall time goes on where the last part of this race ended.
            self.deadline = self.deadline.after(self.store.spent)
            self.units = self.store.units(self.units)
            self._enter()
            try:
                self._without_epochs()
                self._halve()
            except KeyboardInterrupt:
                if not any(row.contender for row in self.rows):
                    raise
                self.broken_off = True
                self._end_heats()
            if self._stopped():
                self.store.pause(self.deadline.spent())
            with ending():
                summary = self._finish()
        return load_run(self.folder), summary

    def _subject(self) -> dict[str, Any]:
        data = self.task.data  # type: ignore[attr-defined]
        return {
            "space": "race", "data": data.content_hash, "name": data.name,
            "options": self.task.config(), "seed": self.seed, "methods": list(self.methods),
        }  # fmt: skip

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
            if left <= 0 or self._stopped():
                self._end_heats()
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

    def _end_heats(self) -> None:
        """Nobody gets another heat."""
        for row in self.rows:
            if row.state in ("waiting", "racing"):
                row.state = "finished" if row.heats else "left out"
                if row.entrant.iterated or not row.heats:
                    row.why = row.why or self._no_more()

    def _stopped(self) -> bool:
        """Whether a signal was heard, or, where nobody listens for it, raised by Python itself."""
        return self.broken_off or stopped()

    def _no_more(self) -> str:
        """Why a method gets no heat more."""
        return STOPPED if self._stopped() else TIME

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
            known = self.store.find(row.name, row.heats + 1)
            if known is None:
                asked.append(row)
            else:
                self._take(row, known)
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
        self._say()

        def go_on() -> bool:  # the first answer comes however late it is
            late = self.deadline.left() <= 0 or self._stopped()
            return not late or all(row.heat is None for row in self.rows)

        for number, heat in engine.run(function, jobs, go_on):
            row = asked[number]
            with held():  # a stop loses no heat that has ended
                if heat.ended != "interrupted":  # else it is run again, from where it stands
                    self.store.keep(row.name, row.heats + 1, heat, self.deadline.spent())
                self._take(row, heat)
        for row in asked:
            if row.heat is None:
                row.state, row.why = "left out", self._no_more()

    def _take(self, row: Row, heat: Heat) -> None:
        row.seconds += heat.seconds
        row.heats += 1
        if heat.error is None:
            row.heat, row.state = heat, "racing"
        elif row.contender is None:
            row.heat, row.state, row.why = heat, "failed", heat.error
        else:  # its run stands as the heat before left it
            row.state, row.why = "finished", heat.error
        self._say()

    def _say(self) -> None:
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
        second = _second([*contenders, *blended], chosen)
        summary = {
            "run": str(self.folder),
            "method": chosen.name,
            "parameters": estimator.parameters_count_,
            "description_bytes": chosen.size,
            "rules": len(getattr(estimator, "rules_", ())),
            "wanted": self.request.wanted,
            "sentence": sentence(chosen, estimator, self.rows, self.request.wanted),
            "second": None if second is None else second.name,
            "measure": estimator.headline,
            "rows": rows_of(self.rows, verdicts),
            "compared": self._compared(),
            "budget": self.request.seconds,
            "valid": measured["valid"],
            "test": metrics.get("test", {}).get("metrics", {}),
            "ended": self._ended(),
            "notes": [*measured["notes"], *self._compared(), *self.notes],
            "seconds": self.deadline.spent(),
        }  # fmt: skip
        publish(self.folder, folder, summary, told="race.json")
        return summary

    def _ended(self) -> str:
        if self._stopped():
            return "interrupted"
        return "time budget" if self.deadline.left() <= self._reserve() else ""

    def _compared(self) -> list[str]:
        """Say on what the methods were compared."""
        n = self.asks[0]
        if n <= self.units:
            return []
        return [
            f"the methods are compared on {self.units:,} of {n:,} validation queries, drawn with "
            "seed 0"
        ]

    def _blended(self, contenders: Sequence[Contender]) -> list[Contender]:
        """The blend of the two best, where it is better than the best with 95 %."""
        mixer = problem(self.task.kind).blend
        if not mixer or len(contenders) < 2 or self.deadline.left() < self._reserve():
            return []
        if self._stopped():
            self.notes.append("no blend was tried after the interruption")
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


def _valid(row: Row) -> float:
    return -1.0 if row.heat is None or row.heat.error else float(row.heat.draws[0])


def _family(method: str) -> str:
    """Methods of one module differ little: a blend of them gains nothing."""
    return resolve(method).__module__.rpartition(".")[0]


def _second(contenders: Sequence[Contender], chosen: Contender) -> Contender | None:
    others = [c for c in contenders if c is not chosen]
    return max(others, key=lambda c: c.valid, default=None)
