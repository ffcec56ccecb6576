"""One heat of a race: a method trained for a while longer, and measured on validation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator, Task
from parsimony.errors import DataError, InvalidMeasure, TrainingDiverged, UsageError
from parsimony.methods import resolve
from parsimony.pipeline import as_begun, keep
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.folder import CONFIG, RunFolder
from parsimony.run.seal import SEAL
from parsimony.search.simplest import Contender

__all__ = ["STOPPED", "TIME", "Entrant", "Heat", "Row", "run_heat"]

#: why a method got no heat more
TIME = "the time was over"
STOPPED = "the race was interrupted"

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Entrant:
    """A method with the parameters that it enters a race with."""

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def iterated(self) -> bool:
        """Whether it is trained in epochs, so that more time can make it better."""
        return "epochs" in resolve(self.method).Parameters.model_fields

    def estimator(self, begun: Path | None = None) -> Estimator[Any, Any]:
        """The unfitted method, as it was begun in a folder; settings that it lacks are left out."""
        cls = resolve(self.method)
        fields = cls.Parameters.model_fields
        own = {} if begun is None else as_begun(begun, self.method)
        given = {name: value for name, value in self.settings.items() if name in fields}
        return cls(**(own | given))


@dataclass(frozen=True, eq=False)
class Heat:
    """What came of one.

    Attributes
    ----------
    draws
        (1 + draws,) the measure on validation, then on resamples (``Estimator.resampled``).
    size
        Stored bytes of parameters and rules.
    seconds, ranking
        Wall time of training in this heat, and of measuring.
    ended
        Why training ended, as ``Estimator.ended_``.
    error
        Why there is no model.
    """

    draws: FloatArray
    parameters: int = 0
    rules: int = 0
    size: int = 0
    epochs: int = 0
    seconds: float = 0.0
    ranking: float = 0.0
    ended: str = ""
    notes: tuple[str, ...] = ()
    error: str | None = None


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
    def cut(self) -> bool:
        """Whether the time, or an interruption, ended what could have gone on."""
        if self.heat is None:
            return self.state == "left out" and self.why in (TIME, STOPPED)
        return self.state == "finished" and (self.interrupted or self.heat.ended == "time budget")

    @property
    def interrupted(self) -> bool:
        """Whether an interruption ended it, or left it out."""
        return self.why == STOPPED or (self.heat is not None and self.heat.ended == "interrupted")

    @property
    def contender(self) -> Contender | None:
        """As what it can be chosen."""
        if self.heat is None or self.heat.error is not None:
            return None
        return Contender(self.name, self.heat.draws, self.heat.size, self.seconds)


def run_heat(
    task: Task, entrant: Entrant, folder: Path, *, seconds: float | None, units: int | None,
    device: str = "cpu", epochs: int | None = None, quiet: bool = True,
) -> Heat:  # fmt: skip
    """Train a method in its run folder, from where it stands, and measure it.

    Parameters
    ----------
    seconds
        Of this heat, with compiling and ranking.
    units
        As of :meth:`parsimony.base.Estimator.resampled`.
    """
    begin = time.perf_counter()
    try:
        estimator = entrant.estimator(folder)
        config = estimator.prepare(task, epochs=epochs)
        with _kept(folder), RunFolder.create(folder, config, resume=True) as run:
            before = float((run.read_json("ledger.json") or {}).get("wall_seconds", 0.0))
            where = device if device.partition(":")[0] in estimator.devices else "cpu"
            estimator.fit(
                task, run=run, epochs=epochs, time_budget=Deadline(seconds, began=begin),
                device=where, quiet=quiet,
            )  # fmt: skip
            keep(estimator, run)
            trained = time.perf_counter() - begin
            draws = estimator.resampled("valid", units=units)
    # What this method cannot do here, such as without an extra, another one can.
    except (TrainingDiverged, InvalidMeasure, UsageError, DataError) as error:
        return Heat(np.zeros(1), seconds=time.perf_counter() - begin, error=error.message)
    return Heat(
        draws, estimator.parameters_count_, len(getattr(estimator, "rules_", ())),
        estimator.description_bytes(), len(estimator.history_),
        max(estimator.seconds_ - before, 0.0), time.perf_counter() - begin - trained,
        estimator.ended_, tuple(getattr(estimator, "notes_", ())),
    )  # fmt: skip


@contextlib.contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Leave the run as the heat before sealed it, where this one ends without a model."""
    sealed = (CONFIG, SEAL) if (folder / SEAL).is_file() else ()
    before = {folder / name: (folder / name).read_bytes() for name in sealed}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            write_atomic(path, content)
        raise
