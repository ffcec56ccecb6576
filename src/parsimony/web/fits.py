"""Fits that a person starts from the page: each a process of its own, ``parsimony fit …``.

They write below one folder that the server was given. What may be learned from is what the server
knows: registered data sets that are on this machine, and the data of the runs that it serves; no
name that is asked for ever becomes a path. Each fit has a record, its output and its log in the
hidden folder ``.fits`` beside the runs, so that a server that is started again knows them.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsimony.decoding import read_json
from parsimony.decoding.files import memory_budget
from parsimony.decoding.strict_json import json_text
from parsimony.errors import (
    CorruptRun,
    InvalidParameter,
    NotAFile,
    UnknownParameter,
    UsageError,
    suggest,
)
from parsimony.run.atomic import cannot_write, write_atomic
from parsimony.search.race import DEFAULT_SECONDS
from parsimony.web import fit_progress as progress
from parsimony.web.known_data import KnownData
from parsimony.web.models import FitAsked
from parsimony.web.processes import Adopted, Process, mark_of, resident
from parsimony.web.waiting import Busy

__all__ = ["Fits"]

MOST = 2  # that run at a time: they share the machine with the answers
_RECORDS = ".fits"
_STOPPED = "Interrupted"  # the error of a command that a signal ended
_LONGEST = 100  # letters of a fit's name, to which a number may be added
_LEAVE = 5.0  # seconds that a fit has to end with the server
_LOOK = 0.3  # seconds between two looks at how much memory a fit takes
_BEYOND = 1.25  # times what it may take: a formula is not exact


class NoSuchFit(UnknownParameter):
    """No fit of that id."""

    status = 404


@dataclass
class _Fit:
    id: str
    asked: FitAsked
    began: float  # of the last start, time.time()
    spent: float = 0.0  # seconds before that
    process: Process | None = None
    watched: threading.Thread | None = None
    memory: int = 0  # bytes that it may take
    took: int = 0  # bytes, where that was more
    stops: int = 0
    ended: float | None = None
    served: str | None = None
    code: int | None = None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.process is not None

    def wait(self, process: Process) -> None:
        """Note how its process ends, and when; end it where it takes far more than it may."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.code = process.wait(_LOOK)
                break
            if self.memory and (took := resident(process.pid)) > self.memory * _BEYOND:
                self.took = took
                process.kill()
        self.ended, self.process = time.time(), None

    @property
    def seconds(self) -> float:
        """That it has taken."""
        return self.spent + max((self.ended or time.time()) - self.began, 0.0)


class Fits:
    """The fits of a server.

    Parameters
    ----------
    folder
        In which the runs are written; made where it is missing.
    data
        What may be learned from.
    memory
        Most bytes of each; by default as many as one file may take, divided among all.

    Raises
    ------
    NotAFile
        The folder is a file.
    """

    def __init__(self, folder: Path, data: KnownData, memory: int | None = None) -> None:
        self.folder, self.data = folder, data
        self.memory = memory_budget() // MOST if memory is None else memory
        self._lock, self._serving = threading.Lock(), threading.Lock()
        if folder.exists() and not folder.is_dir():
            raise NotAFile("the folder of fits is a file", remedy="name a folder",
                           where=str(folder))  # fmt: skip
        try:
            (folder / _RECORDS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        self._fits: dict[str, _Fit] = {}
        for record in sorted((folder / _RECORDS).glob("*.json")):
            with contextlib.suppress(CorruptRun, ValueError, KeyError, TypeError):
                found = read_json(record, error=CorruptRun)
                asked = FitAsked.model_validate(found["asked"])
                began, spent = float(found["began"]), float(found["spent"])
                told = progress.written(folder / record.stem)
                spent = told.get("total_seconds", told.get("seconds", spent))
                served = data.served_from(folder / record.stem)
                fit = _Fit(record.stem, asked, began, spent, ended=began, served=served)
                left = Adopted(int(found.get("pid", 0)), str(found.get("mark", "")))
                if left.alive:  # of a server that was killed
                    fit.spent, fit.memory = float(found["spent"]), self.memory
                    self._watch(fit, left)
                self._fits[record.stem] = fit

    # ---- what is asked ---------------------------------------------------------------------------

    def start(self, asked: FitAsked) -> dict[str, Any]:
        """Start one in a run folder of its own.

        Raises
        ------
        UnknownParameter
            Data or a method that the server does not know.
        Busy
            As many as may are running.
        """
        with self._lock:
            self.data.words(asked)  # refuses
            stem = re.sub(r"[^A-Za-z0-9_.]+", "-", f"{asked.data}-{asked.method}-{asked.seed}")
            stem, number = stem[:_LONGEST].strip("-.") or "fit", 1
            id = stem
            while id in self._fits or (self.folder / id).exists():
                number += 1
                id = f"{stem}-{number}"
            self._require_room()
            fit = _Fit(id, asked, time.time())
            self._run(fit, resume=False)
            self._fits = {**self._fits, id: fit}  # others may be looking through them
            return self._row(fit)

    def resume(self, id: str) -> dict[str, Any]:
        """Go on with one that was stopped or killed.

        Raises
        ------
        NoSuchFit
        UsageError
            It is running.
        Busy
            As many as may are running.
        """
        with self._serving, self._lock:  # not while its run is being read
            fit = self._find(id)
            if fit.running:
                raise UsageError(f"{id} is running", remedy="wait for it, or stop it first")
            if fit.served is not None:
                raise UsageError(f"{id} is served, and is not changed", remedy="start a new one")
            self._require_room()
            fit.spent, fit.began, fit.stops = fit.seconds, time.time(), 0
            fit.ended = fit.began  # as long as no process has been started
            self._run(fit, resume=self._begun(fit))
            return self._row(fit)

    def stop(self, id: str) -> dict[str, Any]:
        """End one: what was learned until then is written as a run; a second time at once.

        Raises
        ------
        NoSuchFit
        """
        with self._lock:
            fit = self._find(id)
            if (process := fit.process) is not None:
                fit.stops += 1
                process.terminate()
            return self._row(fit)

    def finished(self, id: str) -> Path:
        """The run folder of one that has ended well.

        Raises
        ------
        NoSuchFit
        UsageError
            There is no run yet.
        """
        fit = self._find(id)
        if fit.running or not progress.finished(self.folder / fit.id):
            raise UsageError(f"{id} has written no run yet", remedy="wait for its end")
        return self.folder / fit.id

    def serve(self, id: str, add: Callable[[Path], str]) -> str:
        """By what name the run of a fit is served; ``add`` reads it, if nobody has before.

        Raises
        ------
        NoSuchFit
        UsageError
            There is no run yet.
        """
        with self._serving:
            fit = self._find(id)
            if fit.served is None:
                fit.served = add(self.finished(id))
            return fit.served

    def close(self) -> None:
        """Stop all that run; they write what they have, and can be gone on with."""
        running = [process for fit in self._fits.values() if (process := fit.process) is not None]
        for process in running:
            process.terminate()
        end = time.monotonic() + _LEAVE
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(end - time.monotonic(), 0.01))

    # ---- what is shown ---------------------------------------------------------------------------

    def listed(self) -> dict[str, Any]:
        """All of them, the latest first, and what can be started."""
        rows = [self._row(fit) for fit in self._fits.values()]
        rows.sort(key=lambda row: -row["began"])
        return {"enabled": True, "folder": str(self.folder), "data": self.data.shown(),
                "most": MOST, "memory": self.memory, "fits": rows}  # fmt: skip

    def shown(self, id: str) -> dict[str, Any]:
        """One with its curve, its race, and the end of its log.

        Raises
        ------
        NoSuchFit
        """
        fit = self._find(id)
        row, folder = self._row(fit), self.folder / fit.id
        history, most, learning = progress.curve(folder)
        learns = bool(history) and "loss" in history[-1]  # else these are settings that it tries
        running, race = row["state"] in ("running", "stopping"), fit.asked.method == "auto"
        budget = fit.asked.seconds or (DEFAULT_SECONDS if race else None)
        left = progress.time_left(history, None if race else most, budget, fit.seconds)
        summary = progress.written(folder) if progress.finished(folder) else {}
        return {
            **row,
            "learning": learning,
            "epoch": history[-1]["epoch"] if learns else None,
            "epochs": most if learns else None,
            "seconds_left": left if running else None,
            "history": progress.thinned(history),
            "heats": progress.heats(folder, running=running),
            "curves": progress.race_curves(folder) if race else [],
            "measure": self.data.measure(fit.asked) if race else "",
            "log": progress.last_lines(self._record(fit, "log")),
            "said": summary.get("sentence", ""),
            "valid": summary.get("valid", {}),
            "notes": summary.get("notes", []),
        }

    def _row(self, fit: _Fit) -> dict[str, Any]:
        running, done = fit.running, progress.finished(self.folder / fit.id)
        state = "finished"
        if running:
            state = "stopping" if fit.stops else "running"
        elif done and progress.written(self.folder / fit.id).get("ended") == "interrupted":
            state = "stopped"
        elif not done:
            told = self._told(fit) if fit.code is None else None  # of an earlier server
            failed = fit.code not in (None, 0) or (told or {}).get("type", _STOPPED) != _STOPPED
            state = "failed" if fit.took or (failed and not fit.stops) else "stopped"
        error = self._error(fit) if state == "failed" else None
        return {
            "id": fit.id, "data": fit.asked.data, "method": fit.asked.method, "state": state,
            "began": fit.began, "seconds": round(fit.seconds, 1), "usable": done and not running,
            "resumable": not running and state in ("stopped", "failed") and fit.served is None,
            "served": fit.served, "asked": fit.asked.model_dump(), "error": error,
            "memory": fit.memory or None,
        }  # fmt: skip

    def _error(self, fit: _Fit) -> dict[str, Any]:
        """Why it was ended, the error object that the command printed, or the end of its log."""
        if fit.took:
            error = InvalidParameter(
                f"it took {fit.took / 1e9:.2g} GB of memory, more than the "
                f"{fit.memory / 1e9:.2g} GB that a fit may take here, and was ended",
                remedy="choose a smaller model, or a server that allows its fits more memory",
            )
            return error.to_dict()
        if told := self._told(fit):
            return told
        lines = progress.last_lines(self._record(fit, "log"))
        return {"type": "ParsimonyError", "message": lines[-1] if lines else "it ended at once",
                "remedy": "its log says more"}  # fmt: skip

    def _told(self, fit: _Fit) -> dict[str, Any] | None:
        """The error object that the command printed."""
        path = self._record(fit, "out")
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
            return dict(json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["error"])
        return None

    # ---- the process -----------------------------------------------------------------------------

    def _run(self, fit: _Fit, *, resume: bool) -> None:
        words = self.data.words(fit.asked)
        fit.memory, fit.took = self.memory, 0
        if fit.asked.method != "auto":  # methods of a race have no formula of their own yet
            words += ["--memory", str(self.memory)]
        record = {"asked": fit.asked.model_dump(), "began": fit.began, "spent": fit.spent}
        write_atomic(self._record(fit, "json"), json_text(record) + "\n")
        command = [
            sys.executable, "-m", "parsimony", "fit", *words[1:], "--out",
            str(self.folder / fit.id), "--json", *["--resume"] * resume, "--", words[0],
        ]  # fmt: skip
        with (
            self._record(fit, "out").open("wb") as out,
            self._record(fit, "log").open("ab" if resume else "wb") as log,
        ):
            # Ctrl-C in the server's terminal is the server's alone, which then stops its fits.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
            )
        record |= {"pid": process.pid, "mark": mark_of(process.pid)}  # for the next server
        write_atomic(self._record(fit, "json"), json_text(record) + "\n")
        self._watch(fit, process)

    def _watch(self, fit: _Fit, process: Process) -> None:
        fit.process, fit.ended = process, None
        fit.watched = threading.Thread(target=fit.wait, args=(process,), daemon=True)
        fit.watched.start()

    def _begun(self, fit: _Fit) -> bool:
        folder = self.folder / fit.id
        return folder.is_dir() and any(folder.iterdir())

    def _record(self, fit: _Fit, kind: str) -> Path:
        return self.folder / _RECORDS / f"{fit.id}.{kind}"

    def _find(self, id: str) -> _Fit:
        if id not in self._fits:
            raise NoSuchFit(
                f"no fit {id!r}", remedy=suggest(id, self._fits) or "see the list of fits"
            )
        return self._fits[id]

    def _require_room(self) -> None:
        if sum(fit.running for fit in self._fits.values()) >= MOST:
            raise Busy(f"{MOST} fits are running", remedy="wait for one, or stop one")
