"""Frontiers that ``parsimony frontier`` wrote, shown beside the runs; their folders are only read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parsimony.decoding import checked, read_bytes, read_json
from parsimony.errors import CorruptRun, MissingFile, MissingRun, suggest
from parsimony.web.models import FrontierShown

__all__ = ["Frontiers"]

_TOLD, _PAGE, _FIGURE = "frontier.json", "frontier.html", "frontier.svg"
_REMEDY = "name the --out folder of parsimony frontier"


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
        told = read_json(path, error=CorruptRun)
        if not isinstance(told, dict):
            raise CorruptRun("no frontier", remedy=_REMEDY, where=str(path))
        data, measures = told.get("data"), told.get("measures")
        row = {
            "id": name, "data": data.get("name") if isinstance(data, dict) else None,
            "axis": told.get("axis"), "metric": told.get("metric"),
            "sentence": told.get("sentence"), "finished": told.get("finished"),
            "runs": told.get("runs"), "notes": told.get("notes"),
            "families": [
                curve.get("family") for curve in measures[0].get("curves", [])
            ] if measures else [],
            "figure": (self._folders[name] / _FIGURE).is_file(),
        }  # fmt: skip
        checked(FrontierShown, row, str(path), error=CorruptRun, remedy=_REMEDY)
        return row

    def _file(self, name: str, file: str) -> bytes:
        if name not in self._folders:
            raise MissingRun(
                f"no frontier {name!r}", remedy=suggest(name, self._folders) or "see the list"
            )
        return read_bytes(self._folders[name] / file)
