"""The runs below a folder, as rows of a table."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parsimony.decoding import checked, read_toml
from parsimony.errors import CorruptRun, MissingRun, ParsimonyError
from parsimony.run.description import description_bytes
from parsimony.run.folder import CONFIG, MODEL, RunFolder
from parsimony.run.forms import RunConfig
from parsimony.run.seal import SEAL

__all__ = ["list_runs", "run_row"]

#: the measures that methods are chosen by, of all problems; more is better
_HEADLINES = ("mrr", "macro_f1", "pr_auc", "roc_auc", "ndcg@5")


def list_runs(folder: Path | str) -> list[dict[str, Any]]:
    """Read all runs below a folder; those inside another run, as a search has them, are left out.

    Returns
    -------
    list of dict
        By data, the best on validation first: ``run, task, data, method, metric, valid, test,
        parameters, description_bytes, seconds, date`` (ISO 8601, local time, when it was written)
        and ``state``: "finished", "unfinished" or "damaged", of which ``problem`` says why. What a
        run does not say is None.

    Raises
    ------
    MissingRun
        No such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingRun(
            "no such folder of runs", remedy="name the folder in which runs are", where=str(folder)
        )
    rows = [run_row(path) for path in _runs(folder)]
    return sorted(
        rows,
        key=lambda row: (row["data"] is None, row["data"] or "", -(row["valid"] or -1), row["run"]),
    )


def _runs(folder: Path) -> Iterator[Path]:
    """Find the runs, without following links."""
    for place, folders, files in os.walk(folder):
        if {CONFIG, SEAL, MODEL} & set(files):
            folders.clear()
            yield Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def run_row(path: Path) -> dict[str, Any]:
    """One row of :func:`list_runs`, of a folder."""
    row: dict[str, Any] = dict.fromkeys(
        ("run", "task", "data", "method", "metric", "valid", "test", "parameters",
         "description_bytes", "seconds", "date", "state", "problem")
    )  # fmt: skip
    row["run"] = str(path)
    try:
        config = read_toml(path / CONFIG, error=CorruptRun)
        checked(RunConfig, config, str(path / CONFIG), error=CorruptRun)
        row |= {"task": config["task"], "data": config["data"]["name"], "method": config["method"]}
        if not (path / SEAL).exists():
            return row | {"state": "unfinished", "problem": "this run has not finished"}
        return row | _read(RunFolder.open(path))
    except ParsimonyError as error:
        told = f"{error.message} ({error.where})" if error.where else error.message
    except OSError as error:
        told = str(error)
    return row | {"state": "damaged", "problem": told}


def _read(run: RunFolder) -> dict[str, Any]:
    metrics, ledger = run.read_json("metrics.json") or {}, run.read_json("ledger.json") or {}
    summary = run.read_json("summary.json") or {}
    measured = {split: found.get("metrics", {}) for split, found in metrics.items()}
    names = list(dict.fromkeys(name for found in measured.values() for name in found))
    metric = next((name for name in (*_HEADLINES, *names) if name in names), None)
    written = datetime.datetime.fromtimestamp((run.path / SEAL).stat().st_mtime)
    return {
        "metric": metric,
        **{split: measured.get(split, {}).get(metric) for split in ("valid", "test")},
        "parameters": ledger.get("parameters", summary.get("parameters")),
        "description_bytes": summary.get("description_bytes") or description_bytes(run),
        "seconds": ledger.get("wall_seconds", summary.get("seconds")),
        "date": written.isoformat(sep=" ", timespec="seconds"),
        "state": "finished",
    }
