"""What searches of every space share: their settings, their run folder, and which there are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from parsimony.design.settings import Rung, SearchSettings
from parsimony.design.trial import Trial
from parsimony.errors import RunExists, UnknownParameter, suggest
from parsimony.run.atomic import write_atomic
from parsimony.run.folder import RunFolder

__all__ = [
    "SPACES",
    "by_rung",
    "publish",
    "require_known",
    "require_room",
    "resolve_search",
    "seconds_of",
    "short",
]

#: space → the function that searches it
SPACES = {
    "bilinear": "parsimony.symbol_search:search_symbols",
    "modulation": "parsimony.formula_search:search_formulas",
}


def resolve_search(space: str) -> Callable[..., Any]:
    """Return the search of a space.

    Raises
    ------
    UnknownParameter
        No such space.
    """
    if space not in SPACES:
        raise UnknownParameter(
            f"unknown space {space!r}",
            remedy=suggest(space, SPACES) or f"spaces of this version: {', '.join(SPACES)}",
        )
    module, name = SPACES[space].split(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def require_known(given: Iterable[str], trainer: Iterable[str]) -> None:
    """Refuse a setting that neither the search nor its trainer has.

    Raises
    ------
    UnknownParameter
    """
    own = [*SearchSettings.model_fields, "ladder"]
    known = [*own, *trainer]
    for name in given:
        if name not in known:
            raise UnknownParameter(
                f"neither the search nor its trainer has a setting {name!r}",
                remedy=suggest(name, known) or f"settings of the search: {', '.join(own)}",
            )


def require_room(folder: Path, resume: bool) -> None:
    """Refuse a folder that belongs to something else.

    Raises
    ------
    RunExists
    """
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if found and not (resume and "search" in found):
        raise RunExists(
            "the folder holds no search" if resume else "the run folder is not empty",
            remedy="choose another --out" + ("" if resume else ", or continue it with --resume"),
            where=str(folder),
        )


def by_rung(named: Mapping[str, Trial]) -> list[str]:
    """Names of structures by the highest rung that each reached, then by figure."""

    def height(rung: Rung) -> tuple[float, ...]:
        return -rung.entities, -rung.dim, -rung.epochs

    return sorted(named, key=lambda name: (*height(named[name].rung), -named[name].valid))


def short(trial: Trial) -> dict[str, Any]:
    """What search.json holds of a trial."""
    names = ("dim", "epochs", "entities", "valid")
    return {name: getattr(trial, name) for name in names}


def seconds_of(
    trials: Sequence[Trial], runs: Mapping[str, tuple[Any, Mapping[str, Any]]], best: str
) -> dict[str, float]:
    """What the search cost, over all its resumed parts, and the training of the best one alone.

    ``search`` is wall time; ``trials`` sums the trials, which engines of many processors overlap.
    """
    each = {name: float(summary["seconds"]) for name, (_, summary) in runs.items()}
    return {
        "search": max(trial.at for trial in trials),
        "trials": sum(trial.seconds for trial in trials),
        "final": sum(each.values()),
        "training": each[best],
    }


def publish(folder: Path, winner: Path, summary: dict[str, Any]) -> None:
    """Put the winner's files into the run folder, the seal last, and search.json beside them."""
    (folder / "checksums.json").unlink(missing_ok=True)
    for path in sorted(winner.iterdir(), key=lambda path: path.name == "checksums.json"):
        target = folder / path.name
        if path.name in ("checkpoints", ".lock"):
            continue
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            write_atomic(target, path.read_bytes())
    RunFolder.open(folder)  # whole?
    write_atomic(folder / "search.json", json.dumps(summary, indent=1) + "\n")
