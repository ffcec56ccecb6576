"""How a fit that is going on stands: read from the folder that it writes, which is not locked."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from parsimony.decoding import parse_json, read_bytes, read_json
from parsimony.errors import CorruptRun, ParsimonyError
from parsimony.run.folder import CONFIG, RunFolder, read_config
from parsimony.run.seal import SEAL
from parsimony.search.trials import TRIALS, read_trials

__all__ = [
    "curve", "finished", "heats", "last_lines", "race_curves", "thinned", "time_left", "written",
]  # fmt: skip

_LINES = 12  # of a log that are shown
_POINTS = 1000  # epochs of a curve that are sent
_RECENT = 5  # epochs that say how long the next ones take


def finished(folder: Path) -> bool:
    """Whether there is a run that can be used."""
    return (folder / SEAL).is_file()


def written(folder: Path) -> dict[str, Any]:
    """The summary of a finished run; of a race that of race.json. Empty if it is damaged."""
    with contextlib.suppress(CorruptRun):
        for name in ("race.json", "summary.json"):
            if (folder / name).is_file():
                found = read_json(folder / name, error=CorruptRun)
                return found if isinstance(found, dict) else {}
    return {}


def curve(folder: Path) -> tuple[list[dict[str, Any]], int | None, str]:
    """The epochs so far, how many there are at most, and of which method of a race.

    Of a race that goes on they are those of the method that learned last.
    """
    at, method = folder, ""
    if not (folder / CONFIG).is_file():
        logs = _latest(folder, "log.jsonl")
        if not logs:
            return [], None, ""
        at = logs[-1].parent
        method = at.name
    with contextlib.suppress(ParsimonyError, OSError):  # it is being written
        config = read_config(at)
        parameters = config.get("parameters", {})
        most = parameters.get("epochs") or parameters.get("max_epochs")
        history = list(RunFolder(at, config).history())
        return history, most if isinstance(most, int) else None, method
    return [], None, method


def race_curves(folder: Path) -> list[dict[str, Any]]:
    """The epochs of every method of a race, over all its heats, the one that learned last last.

    Returns
    -------
    list of dict
        ``method, history``, thinned; empty where it is no race.
    """
    found = []
    for log in _latest(folder, "log.jsonl") if _methods(folder) else ():
        with contextlib.suppress(ParsimonyError, OSError):  # it is being written
            history = list(RunFolder(log.parent, read_config(log.parent)).history())
            found.append({"method": log.parent.name, "history": thinned(history)})
    return found


def time_left(
    history: list[dict[str, Any]], most: int | None, budget: float | None, spent: float
) -> float | None:
    """Seconds until it ends at the latest; None where nothing says so.

    Parameters
    ----------
    history, most
        Of :func:`curve`.
    budget, spent
        Seconds that it may take, and that it has taken.
    """
    ends = [] if budget is None else [max(budget - spent, 0.0)]
    took = [row["seconds"] for row in history[-_RECENT:] if "seconds" in row]
    if took and most is not None and "phase" not in history[-1]:
        ends.append(max(most - history[-1]["epoch"], 0) * sum(took) / len(took))
    return min(ends, default=None)


def heats(folder: Path, *, running: bool) -> list[dict[str, Any]]:
    """The methods of a race, one a row, as they stand.

    Returns
    -------
    list of dict
        ``method, heats, valid, parameters, seconds, state``; empty where it is no race.
    """
    if not (methods := _methods(folder)):
        return []
    rows = {
        method: {"method": method, "heats": 0, "valid": None, "parameters": None, "seconds": 0.0,
                 "state": "waiting"}
        for method in methods
    }  # fmt: skip
    for trial in read_trials(folder / "search"):
        row = rows.setdefault(trial.structure, {"method": trial.structure, "seconds": 0.0})
        row |= {
            "heats": row.get("heats", 0) + 1, "seconds": row["seconds"] + trial.seconds,
            "parameters": trial.parameters, "valid": trial.valid if trial.error is None else None,
            "state": trial.error or "measured",
        }  # fmt: skip
    verdicts = {} if running else {r["method"]: r for r in written(folder).get("rows", [])}
    for method, row in rows.items():
        if method in verdicts:
            row["state"] = verdicts[method].get("why") or row["state"]
    begun = [log.parent.name for log in _latest(folder, CONFIG)]
    if running and begun and begun[-1] in rows:
        rows[begun[-1]]["state"] = "training" if not rows[begun[-1]]["heats"] else "racing"
    return list(rows.values())


def _methods(folder: Path) -> list[str]:
    """The methods of a race; none where it is being begun, or is a search of another kind."""
    path = folder / "search" / TRIALS
    if not path.is_file():
        return []
    head, whole, _ = read_bytes(path).partition(b"\n")
    told = parse_json(head, str(path), error=CorruptRun) if whole else {}
    return list(told.get("methods", []))


def _latest(folder: Path, name: str) -> list[Path]:
    """A file of each method of a race, the one that was written last at the end."""
    found = []
    for path in (folder / "search" / "runs").glob(f"*/{name}"):
        with contextlib.suppress(OSError):  # the race has put another in its place
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def thinned(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Some epochs, evenly spaced, the last among them: they are sent every second."""
    step = -(-len(history) // _POINTS) or 1
    return history[::-step][::-1]


def last_lines(log: Path) -> list[str]:
    """The last lines of a log."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - 8192, 0))
        text = file.read().decode("utf-8", "replace")
    return text.splitlines()[-_LINES:]
