"""Frontiers that ``parsimony frontier`` wrote, shown beside the runs; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from parsimony.decoding import checked, read_bytes, read_json
from parsimony.errors import CorruptRun, MissingFile, MissingRun, suggest

__all__ = ["Frontiers"]

_TOLD, _PAGE, _FIGURE = "frontier.json", "frontier.html", "frontier.svg"
_REMEDY = "name a folder that a frontier was written to"


class _Data(BaseModel):
    name: str


class _Curve(BaseModel):
    family: str


class _Measure(BaseModel):
    curves: list[_Curve]


class _Told(BaseModel):
    """What is read of frontier.json."""

    data: _Data
    axis: str
    metric: str
    sentence: str
    finished: bool
    runs: dict[str, int]
    notes: list[str]
    measures: list[_Measure]


class Frontiers:
    """The frontiers of a server.

    Parameters
    ----------
    folders
        Each the ``--out`` of ``parsimony frontier``.

    Raises
    ------
    MissingFile
        A folder without a frontier.
    CorruptRun
        What it holds is none.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders: dict[str, Path] = {}
        for folder in folders:
            if not (folder / _TOLD).is_file():
                raise MissingFile("no frontier in this folder", remedy=_REMEDY, where=str(folder))
            name = stem = folder.resolve().name or "frontier"
            number = 1
            while name in self._folders:
                number += 1
                name = f"{stem}-{number}"
            self._folders[name] = folder
            self._row(name)  # refuses

    def shown(self) -> list[dict[str, Any]]:
        """What each of them found."""
        return [self._row(name) for name in self._folders]

    def figure(self, name: str) -> bytes:
        """The drawing, as SVG.

        Raises
        ------
        MissingRun, MissingFile
        """
        return self._file(name, _FIGURE)

    def page(self, name: str) -> bytes:
        """The page, one file.

        Raises
        ------
        MissingRun, MissingFile
        """
        return self._file(name, _PAGE)

    def _row(self, name: str) -> dict[str, Any]:
        path = self._folders[name] / _TOLD
        how: dict[str, Any] = {"error": CorruptRun, "remedy": _REMEDY}
        told = checked(_Told, read_json(path, **how), str(path), **how)
        families = [curve.family for measure in told.measures[:1] for curve in measure.curves]
        return {
            "id": name, "data": told.data.name, "axis": told.axis, "metric": told.metric,
            "families": families, "sentence": told.sentence, "finished": told.finished,
            "runs": told.runs, "notes": told.notes,
            "figure": (self._folders[name] / _FIGURE).is_file(),
        }  # fmt: skip

    def _file(self, name: str, file: str) -> bytes:
        if name not in self._folders:
            raise MissingRun(
                f"no frontier {name!r}", remedy=suggest(name, self._folders) or "see the list"
            )
        return read_bytes(self._folders[name] / file)
