"""From a name, a folder or a file to a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from parsimony.datasets import archive as archives
from parsimony.datasets import registry
from parsimony.datasets.folder import load_folder
from parsimony.datasets.link_data import LinkData
from parsimony.datasets.mirror import (
    FolderMirror,
    Mirror,
    Progress,
    open_mirror,
)
from parsimony.datasets.single_file import load_file
from parsimony.errors import InvalidParameter, MissingFile, UnknownDataset
from parsimony.graph.files import check_file, check_folder

__all__ = ["get", "info", "load", "locate"]


def load(
    name_or_path: str | os.PathLike[str],
    *,
    mirror: str | os.PathLike[str] | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
) -> LinkData:
    """Load a link-prediction dataset.

    Parameters
    ----------
    name_or_path : str or path
        A registered name (searched in the folders of ``PARSIMONY_DATA``, then ``mirror`` or
        ``PARSIMONY_MIRROR``, then the user's cache, then the embedded sets), a dataset folder,
        or a single TSV, CSV, Parquet or RDF file.
    mirror : str or path, optional
        A folder or web address with a ``manifest.json``.
    columns : tuple of str, optional
        Header names of head, relation and tail in a single file.
    seed : int
        Splits a single file 80/10/10.

    Returns
    -------
    LinkData

    Raises
    ------
    UnknownDataset
        Neither a name nor a path; the closest name is suggested.
    InvalidParameter
        A registered dataset of another kind.
    MissingFile
        A registered name that none of the places holds.
    DataError
        Any other way in which the data are wrong; ``where`` names file and line.
    """
    text = os.fspath(name_or_path)
    if text in registry.names():
        item = registry.entry(text)
        if item.kind != "link":
            raise InvalidParameter(
                f"{text!r} is a {item.kind} dataset, not a link-prediction dataset",
                remedy=f"use one of {', '.join(registry.names('link')[:6])}, …, or a folder",
            )
        try:
            folder, source = locate(text, mirror=mirror)
        except MissingFile:
            # A folder of that name in the working directory serves as well, but comes last.
            if not Path(text).is_dir():
                raise
            return load_folder(text)
        data = load_folder(folder, name=text, source=f"{source}; licence: {item.licence}")
        return replace(data, registered=True)
    path = Path(text).expanduser()
    if path.is_dir():
        if columns is not None:
            raise InvalidParameter("columns apply to a single file, not to a folder")
        return load_folder(path)
    if os.path.lexists(path):
        return load_file(check_file(path), columns=columns, seed=seed)
    found = _find(text, None, mirror, None)
    if found is not None:
        return load_folder(found[0], name=text, source=found[1])
    if os.sep in text or path.suffix:
        check_file(path)
    raise UnknownDataset.of(text, registry.names())


def locate(
    name: str,
    *,
    mirror: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Path, str]:
    """Return the folder of a registered dataset, unpacking it if need be, and its source.

    Raises
    ------
    UnknownDataset, MissingFile, ChecksumMismatch, CorruptArchive, DownloadError
    """
    item = registry.entry(name)
    found = _find(name, item, mirror, progress)
    if found is None:
        raise MissingFile(
            f"dataset {name!r} is known, but none of the places searched holds it",
            remedy="set PARSIMONY_DATA to a folder with it, or give --mirror URL|FOLDER",
        )
    return found


def get(
    name: str,
    *,
    mirror: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Fetch and unpack a registered dataset of any kind.

    Parameters
    ----------
    name : str
    mirror : str or path, optional
    progress : callable, optional
        Called with bytes done and bytes in all (0 if unknown) while downloading.

    Returns
    -------
    dict
        ``name``, ``path``, ``source``, ``licence``.
    """
    folder, source = locate(name, mirror=mirror, progress=progress)
    licence = registry.entry(name).licence
    return {"name": name, "path": str(folder), "source": source, "licence": licence}


def info(name: str) -> dict[str, Any]:
    """Return what is known about a registered dataset, without fetching anything.

    Returns
    -------
    dict
        ``name``, ``kind``, ``summary``, ``licence``, ``archive``, ``sha256``, ``available``
        (where it would be loaded from, or None).

    Raises
    ------
    UnknownDataset
    """
    item = registry.entry(name)
    return {
        "name": name,
        "kind": item.kind,
        "summary": item.summary,
        "licence": item.licence,
        "archive": item.archive or None,
        "sha256": item.sha256 or None,
        "available": _available(item),
    }


def _available(item: registry.Entry) -> str | None:
    for place in _places(None):
        if isinstance(place, FolderMirror):
            folder = place.dataset_folder(item.name)
            if folder is not None:
                return str(folder)
            promise = place.find(item.name, item.archive)
            if promise is not None:
                return str(place.folder / promise.file)
    if item.embedded:
        return "embedded" if _embedded(item) is not None else None
    unpacked = archives.find_unpacked(item.archive)
    return None if unpacked is None else str(unpacked / item.folder)


def _places(mirror: str | os.PathLike[str] | None) -> Iterator[Mirror]:
    """Yield the folders of PARSIMONY_DATA, then the mirror."""
    for part in os.environ.get("PARSIMONY_DATA", "").split(os.pathsep):
        if part:
            yield FolderMirror(check_folder(Path(part).expanduser()))
    address = mirror or os.environ.get("PARSIMONY_MIRROR")
    if address:
        yield open_mirror(address)


def _find(
    name: str,
    item: registry.Entry | None,
    mirror: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> tuple[Path, str] | None:
    file = item.archive if item is not None else None
    for place in _places(mirror):
        if isinstance(place, FolderMirror):
            folder = place.dataset_folder(name)
            if folder is not None:
                return folder, f"folder {folder.name}"
        elif file:
            # What was unpacked from the web once needs no connection any more.
            ready = archives.find_unpacked(file, item.sha256 if item else None)
            if ready is not None and item is not None:
                return _inside(ready, name, item), f"{file} in the cache"
        if file == "":
            continue
        promise = place.find(name, file)
        if promise is not None:
            folder = _inside(place.obtain(promise, progress), name, item)
            # Published figures of this project hold for the registered bytes.
            other = item is not None and promise.sha256 != item.sha256
            edition = " (another edition than the registered one)" if other else ""
            return folder, f"{promise.file}{edition}"
    if item is None:
        return None
    if item.embedded:
        folder_or_none = _embedded(item)
        return None if folder_or_none is None else (folder_or_none, "embedded in the package")
    ready = archives.find_unpacked(item.archive)
    return None if ready is None else (_inside(ready, name, item), f"{file} in the cache")


def _inside(root: Path, name: str, item: registry.Entry | None) -> Path:
    """Return the dataset's folder inside an unpacked archive."""
    if item is not None:
        return check_folder(root / item.folder)
    candidates = [path.parent for path in sorted(root.glob("**/train.txt"))]
    for folder in candidates:
        if folder.name == name:
            return folder
    if len(candidates) == 1:
        return candidates[0]
    raise MissingFile(
        f"the archive holds {len(candidates)} dataset folders, none called {name!r}",
        remedy="give the folder's own name",
        where=str(root),
    )


def _embedded(item: registry.Entry) -> Path | None:
    root = resources.files("parsimony.datasets") / "embedded" / item.folder
    path = Path(str(root))
    return path if (path / "train.txt").is_file() else None
