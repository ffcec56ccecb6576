"""The seal of a finished run: ``checksums.json``, written last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.run.atomic import is_temporary, write_atomic

SEAL = "checksums.json"
# Of a graph store that a run learned from only the manifest, which holds the sums of its files:
# they can be larger than what is read of them. `parsimony audit RUN/data` compares them.
STORE = Path("data", "store.json")
# Files that may change after a run has finished: its log, a new report.
_OPEN_FILES = {SEAL, "log.jsonl", "report.html", ".lock"}
_OPEN_FOLDERS = {"checkpoints"}
_REMEDY = "restore the folder or train again"


def seal(folder: Path) -> None:
    """Record the SHA-256 of every file of the model."""
    stored = (folder / STORE).exists()
    sums = {
        path.relative_to(folder).as_posix(): _file_sum(path)
        for path in sorted(folder.rglob("*"))
        if _sealed(path.relative_to(folder), stored) and path.is_file()
    }
    sums[SEAL] = _own_sum(sums)
    write_atomic(folder / SEAL, json_text(sums, indent=1) + "\n")


def verify(folder: Path, only: str | None = None) -> None:
    """Compare the files with their checksums.

    Parameters
    ----------
    folder
        A sealed run folder.
    only
        Compare only this file.

    Raises
    ------
    CorruptRun
        A file, possibly the list of checksums, is missing or was changed; the message names it.
    FileNotFoundError
        The folder is not sealed.
    """
    sums = _read(folder / SEAL)
    for name, digest in sums.items():
        if name == SEAL or only not in (None, name):
            continue
        path = folder / name
        if not path.is_file():
            raise CorruptRun("a file of the run is missing", remedy=_REMEDY, where=str(path))
        if _file_sum(path) != digest:
            raise CorruptRun("the file differs from its checksum", remedy=_REMEDY, where=str(path))


def _sealed(path: Path, stored: bool) -> bool:
    if stored and path.parts[0] == STORE.parts[0]:
        return path == STORE
    return (
        path.as_posix() not in _OPEN_FILES
        and path.parts[0] not in _OPEN_FOLDERS
        and not is_temporary(path)
    )


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        raise FileNotFoundError(path)
    value = read_json(path, error=CorruptRun, remedy=_REMEDY)
    sums = checked(dict[str, str], value, str(path), error=CorruptRun, remedy=_REMEDY)
    # Its own checksum: otherwise a flipped byte here would be blamed on another file.
    if sums.get(SEAL) != _own_sum({k: v for k, v in sums.items() if k != SEAL}):
        raise CorruptRun("the list of checksums was changed", remedy=_REMEDY, where=str(path))
    return sums


def _own_sum(sums: Mapping[str, str]) -> str:
    return hashlib.sha256(json_text(sums, sort_keys=True).encode()).hexdigest()


def _file_sum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
