"""What came of the heats of a race, on disk: a race that was killed runs none of them again."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import numpy as np
from annotated_types import Ge
from typing_extensions import TypedDict

from parsimony.decoding import checked, load_array, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.run.atomic import require_no_links, write_atomic
from parsimony.search.heat import Heat
from parsimony.search.settings import Rung
from parsimony.search.trial import Trial
from parsimony.search.trials import TrialStore

__all__ = ["HeatStore"]

#: a heat is told by its number, not by a rung of dimension and epochs
_RUNG = Rung(1, 1)


class _Units(TypedDict):
    """How many units are compared."""

    units: Annotated[int, Ge(1)]


class _Spent(TypedDict):
    """Wall seconds of the race when it was interrupted."""

    seconds: Annotated[float, Ge(0)]


class _Told(TypedDict):
    """What is kept of a heat beside its trial and its draws."""

    parameters: int
    rules: int
    size: int
    epochs: int
    ranking: float
    ended: str
    notes: list[str]


class HeatStore:
    """A trial store with a row for each heat, and its draws beside it; a context manager.

    Parameters
    ----------
    folder
        Of the run; ``search/trials.jsonl`` and ``search/draws/`` are made there.
    subject, resume
        As of :class:`parsimony.search.trials.TrialStore`.
    seed
        Of the race.

    Raises
    ------
    RunExists, LedgerMismatch, CorruptRun
        As the trial store.
    """

    def __init__(self, folder: Path, subject: dict[str, Any], *, resume: bool, seed: int) -> None:
        self._trials = TrialStore(folder / "search", subject, resume=resume)
        self._draws, self._seed = folder / "search" / "draws", seed

    def __enter__(self) -> Self:
        """Make the folder of draws."""
        require_no_links(self._draws.parent)
        self._draws.mkdir(exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the folder back."""
        self._trials.close()

    @property
    def spent(self) -> float:
        """Wall seconds of the race until its last heat ended, or was interrupted."""
        kept = self._draws / "spent.json"
        paused = {"seconds": read_json(kept, error=CorruptRun) if kept.exists() else 0.0}
        told = checked(_Spent, paused, str(kept), error=CorruptRun)
        return max([told["seconds"], *(trial.at for trial in self._trials)])

    def pause(self, at: float) -> None:
        """Note when a heat was interrupted, in wall seconds of the race."""
        write_atomic(self._draws / "spent.json", json_text(at))

    def units(self, wanted: int) -> int:
        """How many units all heats are compared on: as it was begun, else ``wanted``."""
        kept = self._draws / "units.json"
        if not kept.exists():
            write_atomic(kept, json_text(wanted))
            return wanted
        found = {"units": read_json(kept, error=CorruptRun)}
        return checked(_Units, found, str(kept), error=CorruptRun)["units"]

    def find(self, method: str, number: int) -> Heat | None:
        """What came of a method's heat of that number, from 1; None where it was not run."""
        trial = self._trials.find(_key(method, number), self._seed, _RUNG)
        if trial is None:
            return None
        path = self._path(method, number)
        kept = path.with_suffix(".json")
        read = read_json(kept, error=CorruptRun)
        told: dict[str, Any] = dict(checked(_Told, read, str(kept), error=CorruptRun))
        draws = np.asarray(load_array(path, error=CorruptRun), np.float64)
        told["notes"] = tuple(told["notes"])
        return Heat(draws, seconds=trial.seconds, error=trial.error, **told)

    def keep(self, method: str, number: int, heat: Heat, at: float) -> None:
        """Write a heat; ``at`` is when it ended, in wall seconds of the race."""
        array = BytesIO()
        np.save(array, heat.draws)
        path = self._path(method, number)
        write_atomic(path, array.getvalue())
        told = {name: getattr(heat, name) for name in _Told.__annotations__}
        write_atomic(path.with_suffix(".json"), json_text(told))
        self._trials.append(
            Trial(
                structure=method, canonical=_key(method, number), seed=self._seed,
                epochs=_RUNG.epochs, dim=_RUNG.dim, valid=float(heat.draws[0]),
                seconds=heat.seconds, parameters=heat.parameters, ran=heat.epochs,
                stage=f"heat {number}", origin="start", predicted=None, at=at, error=heat.error,
            )
        )  # fmt: skip

    def _path(self, method: str, number: int) -> Path:
        return self._draws / f"{method}-{number}.npy"


def _key(method: str, number: int) -> str:
    return f"{method}, heat {number}"
