"""The runs of a frontier as trials: in rounds of a seed, resumable, within a budget, on an engine.

The first seed's rounds go from small sizes to large ones of all families, from one side to the
other and those last that kernels have to be compiled for, so that a budget that ends early leaves
a picture of both sides. As a run that is cut counts for nothing, one that took longer with another
seed than there is time is not begun. A trial of the first seed tunes its size; later seeds take
over what was found.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.frontier.costs import fraction
from parsimony.frontier.families import Family, Size
from parsimony.frontier.protocol import PROTOCOL, Protocol
from parsimony.frontier.row import Row, Subject, Tuned
from parsimony.frontier.running import METRICS, run_size
from parsimony.frontier.tuning import TRIAL, tune_size
from parsimony.frontier.warming import is_shaped, warm
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine
from parsimony.search.settings import Rung
from parsimony.search.trial import Trial
from parsimony.search.trials import TrialStore

__all__ = ["Job", "Runs", "in_turn", "run_job"]

_TUNED, _ROW = "tuned.json", "row.json"
#: a run may take so many times what would be left for each; and at least so many seconds
_PATIENCE, _LEAST = 4.0, 2.0
#: how many times what it had, a run is thought to take whose time was short
_SHORT = 2.0
#: of the time of a run, what its tuning may take
_TUNING = 0.6
_RUNG = Rung(1, 1)


@dataclass(frozen=True)
class Job:
    """A run that is to be made."""

    family: Family
    size: Size
    share: float
    seed: int

    @property
    def text(self) -> str:
        """As the trial store names it."""
        return json_text(
            {"family": self.family.name, "size": self.size.label, "labels": self.share}
        )

    @property
    def key(self) -> tuple[str, int]:
        """What makes two jobs the same."""
        return self.text, self.seed

    @property
    def folder(self) -> str:
        """Where it writes, below the frontier's ``runs/``."""
        plain = "".join(c if c.isalnum() else "-" for c in f"{self.family.name}-{self.size.label}")
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:6]
        return f"{plain}-{self.share:g}-{digest}/seed-{self.seed}"


class Runs:
    """All runs of a protocol in a folder; a context manager that holds its trial store.

    Parameters
    ----------
    folder, protocol
        Where, and what is to be run.
    families
        The protocol's.
    budget
        Until when, of this part alone; what earlier parts took is taken from it.
    resume
        Go on with the runs that are there.
    on_row
        Called with every row, how many are still to come, and what they take in seconds, where
        that was measured.
    """

    def __init__(
        self, folder: Path, protocol: Protocol, families: Sequence[Family], budget: Deadline, *,
        resume: bool, on_row: Callable[[Row, int, float | None], None] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.protocol, self.on_row = folder, protocol, on_row
        self.subject: Subject = protocol.task
        subject = {"space": "frontier", "data": protocol.data_hash, "protocol": protocol.hash}
        self.store = TrialStore(folder / "search", subject, resume=resume)
        write_atomic(folder / PROTOCOL, protocol.text)  # before the first run
        self.jobs = [
            Job(family, family.sizes[k], share, seed)
            for seed in protocol.seeds
            for share in sorted(protocol.shares, reverse=True)
            for k in range(max(len(family.sizes) for family in families))
            for family in in_turn(families)
            if k < len(family.sizes)
        ]
        self.rows: dict[tuple[str, int], Row] = {}
        self.budget = budget.after(max((trial.at for trial in self.store), default=0.0))

    def __enter__(self) -> Runs:
        """Return the runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder back."""
        self.store.close()

    @property
    def spent(self) -> float:
        """Wall seconds, those of earlier parts included."""
        return self.budget.spent()

    def make(self, engine: Engine, *, reserve: float = 0.0) -> None:
        """Make what is not there yet, within the budget.

        Parameters
        ----------
        reserve
            Seconds of the budget that are kept for what follows.
        """
        more = len(self.protocol.budgets) > 1
        for job in self.jobs:
            trial = self.store.find(job.text, job.seed, _RUNG)
            if trial is None or (row := self._read(job)) is None:
                continue
            if more and row.status != "done":
                (self.folder / "runs" / job.folder / _ROW).unlink()
            else:
                self.rows[job.key] = row
        for seed in self.protocol.seeds:
            asked = [j for j in self.jobs if j.seed == seed and j.key not in self.rows]
            self._round(asked, engine, reserve)

    def _round(self, asked: Sequence[Job], engine: Engine, reserve: float) -> None:
        limited = self.budget.limited
        until = time.time() + self.budget.left() - reserve if limited else None
        first = self.protocol.seeds[0]
        weights = {job.key: self._weight(job) for job in self.jobs if job.key not in self.rows}
        behind, jobs = sum(weights.values()), list[dict[str, Any]]()
        for n_behind, job in zip(range(len(weights), 0, -1), asked, strict=False):
            weight, took = weights[job.key], self._taken(job)
            alike = max(1.0, behind / weight / engine.slots)
            takes = weight if took or self.protocol.expected else 0.0
            tuned = None if job.seed == first else self._tuned(replace(job, seed=first))
            jobs.append({
                "job": job, "folder": self.folder / "runs" / job.folder, "until": until,
                "left": alike, "takes": takes, "least": took,
                "evenly": 1.0 if took else max(1.0, n_behind / engine.slots), "tuned": tuned,
            })  # fmt: skip
            behind -= weight
        function = partial(run_job, subject=self.subject, trials=self.protocol.trials)

        def go_on() -> bool:
            return until is None or time.time() < until

        for n, row in engine.run(function, jobs, go_on):
            job = asked[n]
            write_atomic(
                self.folder / "runs" / job.folder / _ROW, json_text(asdict(row), indent=1) + "\n"
            )
            self.store.append(_as_trial(job, row, self.spent))
            self.rows[job.key] = row
            if self.on_row is not None:
                left = [each for each in self.jobs if each.key not in self.rows]
                seconds = sum(map(self._weight, left)) / engine.slots
                self.on_row(row, len(left), seconds if self.protocol.expected else None)

    def _weight(self, job: Job) -> float:
        """What a run and its tuning are thought to take; the same for all where nobody measured."""
        took = self.protocol.expected.get(job.family.name, {}).get(job.size.label)
        if took is None:
            every = [t for sizes in self.protocol.expected.values() for t in sizes.values()]
            took = max(every, default=1.0)
        took = self._taken(job) or took * fraction(job.share)
        tuning = TRIAL * self.protocol.trials if job.seed == self.protocol.seeds[0] else 0.0
        return max(took * (1 + tuning), 1e-3)

    def _taken(self, job: Job) -> float:
        """What such a run has taken with another seed, more where that was not enough; else 0."""
        alike = [row for (text, _), row in self.rows.items() if text == job.text]
        return max(
            (
                (_SHORT if row.status == "out of time" else 1.0)
                * max(row.seconds, row.processor_seconds / (1 + row.trials))
                for row in alike
            ),
            default=0.0,
        )

    def _read(self, job: Job) -> Row | None:
        path = self.folder / "runs" / job.folder / _ROW
        how: dict[str, Any] = {"error": CorruptRun, "remedy": "remove it: it is run again"}
        return checked(Row, read_json(path, **how), str(path), **how) if path.exists() else None

    def _tuned(self, job: Job) -> Tuned:
        return _read_tuned(self.folder / "runs" / job.folder) or Tuned(why="it was not tuned")

    @property
    def results(self) -> list[tuple[Row, Path]]:
        """Return the rows that there are, each with its folder."""
        return [
            (self.rows[job.key], self.folder / "runs" / job.folder)
            for job in self.jobs
            if job.key in self.rows
        ]


def in_turn(families: Sequence[Family]) -> list[Family]:
    """Families from one side to the other, those that compile kernels for each size last."""
    turn: dict[tuple[bool, str], int] = {}
    keys = []
    for family in families:
        late = any(is_shaped(size) for size in family.sizes)
        turn[late, family.side] = turn.get((late, family.side), 0) + 1
        keys.append((late, turn[late, family.side]))
    return [families[i] for i in sorted(range(len(families)), key=keys.__getitem__)]


def run_job(
    job: Job, folder: Path, until: float | None, left: float, takes: float, least: float,
    evenly: float, tuned: Tuned | None, *, subject: Subject, trials: int,
) -> Row:  # fmt: skip
    """Tune a size, where nothing was tuned for it, and run it.

    Parameters
    ----------
    until
        :func:`time.time` at which the budget ends; None: never.
    left
        How many runs as long as this one are still to share what is left.
    takes, evenly
        The seconds that this one is thought to take, which it gets whatever others take, unless an
        even part of what is left for so many runs is less.
    least
        What it took with another seed, without which it is not begun; 0: not known. What is
        thought of before may be far too long, as training often stops early.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = None if until is None else until - time.time()
    not_begun = Row(
        job.family.name, job.family.side, job.size.label, job.size.method, dict(job.size.settings),
        job.seed, job.share, METRICS.get(subject.kind, "score"), status="out of time",
    )  # fmt: skip
    if now is not None and least > now:
        return replace(
            not_begun, why=f"it was not begun: it takes some {least:,.0f} s, and {now:,.0f} s were "
            "left",
        )  # fmt: skip
    if not warm(job.size, subject.kind, now):
        return replace(not_begun, why="too little time was left to compile its kernels")
    seconds = None if until is None else time_of(until - time.time(), left, takes, evenly)
    begin = time.perf_counter()
    what: dict[str, Any] = {"share": job.share, "seed": job.seed, "folder": folder}
    if tuned is None:
        tuned = _read_tuned(folder)
    if tuned is None:
        limit = None if seconds is None else _TUNING * seconds
        tuned = (
            tune_size(job.family, job.size, subject, **what, seconds=limit, trials=trials)
            if trials
            else Tuned()
        )
        write_atomic(folder / _TUNED, json_text(asdict(tuned), indent=1) + "\n")
    rest = None if seconds is None else max(seconds - (time.perf_counter() - begin), _LEAST)
    row = run_size(job.family, job.size, subject, **what, seconds=rest, tuned=tuned)
    return replace(row, notes=[*row.notes, f"tuning: {tuned.why}"]) if tuned.why else row


def time_of(now: float, left: float, takes: float, evenly: float) -> float:
    """Seconds that a run gets of those left; see :func:`run_job`."""
    part = max(now / left, min(takes, now / evenly))
    return min(max(_PATIENCE * part, _LEAST), max(now, _LEAST))


def _read_tuned(folder: Path) -> Tuned | None:
    path = folder / _TUNED
    how: dict[str, Any] = {"error": CorruptRun, "remedy": "remove it: the size is tuned again"}
    return checked(Tuned, read_json(path, **how), str(path), **how) if path.exists() else None


def _as_trial(job: Job, row: Row, at: float) -> Trial:
    return Trial(
        job.text, job.text, job.seed, _RUNG.epochs, _RUNG.dim, row.value_valid, row.seconds,
        row.parameters, 1, "frontier", job.family.side, None, at,
        error=None if row.status == "done" else f"{row.status}: {row.why}",
    )  # fmt: skip
