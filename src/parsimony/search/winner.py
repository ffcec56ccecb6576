"""The run folder of what compares many trainings: whose it is, and how its winner gets into it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parsimony.decoding.strict_json import json_text
from parsimony.errors import RunExists
from parsimony.run.atomic import replaced_folder, write_atomic
from parsimony.run.folder import RunFolder

__all__ = ["publish", "require_room"]


def require_room(folder: Path, resume: bool) -> None:
    """Refuse a folder that belongs to something else.

    Parameters
    ----------
    folder
        Of the run; what compares trainings keeps its trials in ``search`` there.
    resume
        Whether to go on with what is there.

    Raises
    ------
    RunExists
        The folder is not empty, or ``resume`` finds no search in it.
    """
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if found and not (resume and "search" in found):
        raise RunExists(
            "the folder holds no search" if resume else "the run folder is not empty",
            remedy="choose another --out"
            + (", or continue it with --resume" if "search" in found else ""),
            where=str(folder),
        )


def publish(
    folder: Path, winner: Path, summary: Mapping[str, Any], *, told: str = "search.json"
) -> None:
    """Put the winner's files into the run folder, the seal last, and the summary beside them.

    Parameters
    ----------
    folder
        Of the run that compared trainings; every verb takes it as a run from now on.
    winner
        A run folder, which stays where it is.
    summary
        JSON-able: what was found and what it cost.
    told
        The file that holds it.
    """
    (folder / "checksums.json").unlink(missing_ok=True)
    for path in sorted(winner.iterdir(), key=lambda path: path.name == "checksums.json"):
        target = folder / path.name
        if path.name in ("checkpoints", ".lock"):
            continue
        if path.is_dir():
            with replaced_folder(target) as made:
                shutil.copytree(path, made, dirs_exist_ok=True)
        else:
            write_atomic(target, path.read_bytes())
    RunFolder.open(folder)  # whole?
    write_atomic(folder / told, json_text(summary, indent=1) + "\n")
