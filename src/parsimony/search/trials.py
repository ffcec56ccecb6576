"""The trial store: one JSON line per trial, append-only, bound to its data.

The first line says what the trials were measured on. A kill loses the trials that were running:
a line that it tore is cut off when the store is opened again. A measurement is looked up by what
was asked for, so a search that is resumed walks the same way through it and goes on at its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from parsimony.decoding import checked, parse_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun, InvalidMeasure, InvalidParameter, LedgerMismatch, RunExists
from parsimony.metrics import guard
from parsimony.run.atomic import append_line, cannot_write, require_no_links, write_atomic
from parsimony.run.lock import FolderLock
from parsimony.run.renamed import renamed
from parsimony.search.settings import Rung
from parsimony.search.trial import Trial

__all__ = ["TRIALS", "TrialStore", "read_trials"]

TRIALS = "trials.jsonl"
_FORMAT = 1
_REMEDY = "restore the file, or remove the line: its trial is run again"


class TrialStore:
    """The trials of a folder; a context manager that holds the folder's lock.

    Parameters
    ----------
    folder
        Made where it is missing.
    subject
        What the trials are measured on: ``space``, ``data`` (content hash), trainer's settings …;
        JSON-able.
    resume
        Go on with the trials of a store that is there.

    Raises
    ------
    RunExists
        There is a store and ``resume`` is off, or another process writes to it.
    LedgerMismatch
        It belongs to another subject; names the keys that differ.
    CorruptRun
        A line that is no trial; names file and line.
    """

    def __init__(self, folder: Path | str, subject: dict[str, Any], *, resume: bool = False):
        self.path = Path(folder) / TRIALS
        self.subject = json.loads(json_text(subject))
        self.trials: list[Trial] = []
        self._by_identity: dict[tuple[str, int, Rung], Trial] = {}
        self._lock = FolderLock(Path(folder))
        if self.path.exists() and not resume:
            raise RunExists(
                "a search has been here",
                remedy="continue it with --resume, or choose another --out",
                where=str(self.path),
            )
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(Path(folder), error) from error
        self._lock.acquire()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        end, rows = _rows(self.path)
        for number, row in enumerate(rows, start=1):
            if number == 1:
                self._require_same(row)
            else:
                self._remember(_trial(row, f"{self.path}:{number}"))
        require_no_links(self.path.parent)
        if self.path.exists() and end < self.path.stat().st_size:  # what a kill tore
            write_atomic(self.path, self.path.read_bytes()[:end])
        if end == 0:
            self._write({"ledger": _FORMAT, **self.subject})

    def _require_same(self, head: dict[str, Any]) -> None:
        # Parameters may have got another name since then.
        head = {
            key: renamed(value, self.subject.get(key) or {}) if isinstance(value, dict) else value
            for key, value in head.items()
        }
        then, now = _flat(head), _flat({"ledger": _FORMAT, **self.subject})
        changed = [
            f"{key}: {then.get(key)!r} → {now.get(key)!r}"
            for key in dict.fromkeys([*now, *then])
            if then.get(key) != now.get(key)
            and not (key not in then and now[key] == 0)  # a switch or weight new since then
        ]
        if changed:
            raise LedgerMismatch(
                f"its trials were measured on something else: {'; '.join(changed)}",
                remedy="repeat the first command with --resume, or choose another --out",
                where=str(self.path),
            )

    def require_possible(self, measure: str) -> None:
        """Refuse figures that the measure cannot have; earlier versions let NaN scores win.

        Raises
        ------
        CorruptRun
            Names the trial.
        """
        for trial in self.trials:
            try:
                guard.checked({measure: trial.valid})
            except InvalidMeasure as error:
                raise CorruptRun(
                    f"trial {trial.structure!r}: {error.message}",
                    remedy="remove its line, and the trial is run again",
                    where=str(self.path),
                ) from None

    def find(self, canonical: str, seed: int, rung: Rung) -> Trial | None:
        """Return the trial that was measured so, or None."""
        return self._by_identity.get((canonical, seed, rung))

    def append(self, trial: Trial) -> None:
        """Write a row; it is on disk when this returns."""
        self._write(asdict(trial))
        self._remember(trial)

    def _remember(self, trial: Trial) -> None:
        self.trials.append(trial)
        self._by_identity[trial.identity] = trial

    def _write(self, row: dict[str, Any]) -> None:
        if not self._lock.held:
            raise ValueError("the store is closed")
        append_line(self.path, json_text(row, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Give the folder back."""
        self._lock.release()

    def __enter__(self) -> TrialStore:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __iter__(self) -> Iterator[Trial]:
        """Iterate over the trials in the order in which they ended."""
        return iter(self.trials)

    def __len__(self) -> int:
        """Number of trials."""
        return len(self.trials)


def _flat(subject: dict[str, Any]) -> dict[str, Any]:
    """The subject with the settings of ``trainer`` as keys of their own, ``trainer.lr``."""
    flat: dict[str, Any] = {}
    for key, value in subject.items():
        inner = value if isinstance(value, dict) else {}
        flat |= {f"{key}.{name}": each for name, each in inner.items()} or {key: value}
    return flat


def read_trials(folder: Path | str) -> list[Trial]:
    """Return the trials of a store that is only read, perhaps while a search writes to it.

    Raises
    ------
    CorruptRun
        A line that is no trial; names file and line.
    """
    path = Path(folder) / TRIALS
    rows = list(_rows(path)[1])
    return [_trial(row, f"{path}:{number}") for number, row in enumerate(rows[1:], start=2)]


def _rows(path: Path) -> tuple[int, Iterator[dict[str, Any]]]:
    """Where the last whole line ends, and the whole lines."""
    whole = path.read_bytes() if path.exists() else b""
    end = whole.rfind(b"\n") + 1
    lines = whole[:end].split(b"\n")[:-1]
    return end, (_row(line, f"{path}:{n}") for n, line in enumerate(lines, start=1))


def _row(line: bytes, where: str) -> dict[str, Any]:
    row = parse_json(line, where, error=CorruptRun, remedy=_REMEDY)
    return checked(dict[str, Any], row, where, error=CorruptRun, remedy=_REMEDY)


def _trial(row: dict[str, Any], where: str) -> Trial:
    trial = checked(Trial, row, where, error=CorruptRun, remedy=_REMEDY)
    try:
        _ = trial.rung
    except InvalidParameter as error:
        raise CorruptRun(error.message, remedy=_REMEDY, where=where) from None
    return trial
