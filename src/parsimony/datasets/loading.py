"""Locating a dataset by name, and fetching it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from parsimony.datasets import archive as archives
from parsimony.datasets import fetching, recipes, registry
from parsimony.datasets.entry import Entry
from parsimony.datasets.mirror import FolderMirror, Mirror, open_mirror
from parsimony.datasets.transfer import Progress
from parsimony.decoding.files import check_folder
from parsimony.errors import MissingFile, UnknownDataset

__all__ = ["get", "info", "locate"]


def locate(
    name: str,
    *,
    mirror: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    agreed: bool = False,
) -> tuple[Path, str]:
    """Return the folder of a dataset, fetched, unpacked or made if necessary, and its source.

    A mirror may offer datasets that are not registered. What no place has is made from its public
    sources (:mod:`parsimony.datasets.fetching`).

    Raises
    ------
    UnknownDataset, MissingFile, ChecksumMismatch, CorruptArchive, DownloadError
    """
    item = registry.entry(name) if name in registry.names() else None
    found = _find(name, item, mirror, progress) or _made(item, progress, agreed)
    if found is None and item is None:
        raise UnknownDataset.of(name, registry.names())
    if found is None:
        others = archives.other_editions(item.archive) if item is not None else []
        raise MissingFile(
            f"dataset {name!r} is registered, but none of the locations searched has it"
            + (", and PARSIMONY_OFFLINE forbids to fetch it" if recipes.recipe(name) else "")
            + ("; the cache holds another edition of it" if others else ""),
            remedy=f"name that edition: --mirror {others[0]}"
            if others
            else "set PARSIMONY_DATA to a folder with it, or give --mirror URL|FOLDER",
        )
    return found


def get(
    name: str,
    *,
    mirror: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    agreed: bool = False,
) -> dict[str, str]:
    """Fetch a registered dataset of any kind, and unpack or convert it.

    Parameters
    ----------
    name : str
    mirror : str or path, optional
    progress : callable, optional
        Called with the bytes done and the total (0 if unknown) while downloading.
    agreed : bool
        Whether you agree to the terms of its source, where it has some.

    Returns
    -------
    dict
        ``name``, ``path``, ``source``, ``licence``.
    """
    licence = registry.entry(name).licence
    folder, source = locate(name, mirror=mirror, progress=progress, agreed=agreed)
    return {"name": name, "path": str(folder), "source": source, "licence": licence}


def info(name: str) -> dict[str, Any]:
    """Return the metadata of a registered dataset, without fetching anything.

    Returns
    -------
    dict
        ``name``, ``kind``, ``summary``, ``licence``, ``archive``, ``sha256``, ``available``
        (where it would be loaded from, or None), and ``recipe``: None, or what is fetched where
        it is not available (``from``, ``megabytes``, ``files`` with their checksums as far as
        known, ``terms``, ``obtain``, ``differs``).

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
        "recipe": _recipe(name),
    }


def _recipe(name: str) -> dict[str, Any] | None:
    known = recipes.recipe(name)
    return None if known is None else {
        "from": list(known.hosts),
        "megabytes": known.megabytes,
        "files": {file.url: file.sha256 or None for file in known.files},
        **{key: getattr(known, key) or None for key in ("terms", "obtain", "differs", "free")},
    }  # fmt: skip


def _available(item: Entry) -> str | None:
    for place in _places(None):
        if isinstance(place, FolderMirror):
            folder = place.dataset_folder(item.name)
            if folder is not None:
                return str(folder)
            entry = place.find(item.name, item.archive)
            if entry is not None:
                return str(place.folder / entry.file)
    if item.embedded:
        return "embedded" if _embedded(item) is not None else None
    unpacked = archives.find_unpacked(item.archive, item.sha256) if item.archive else None
    unpacked = unpacked or fetching.kept(item)
    return None if unpacked is None else str(unpacked / item.folder)


def _made(item: Entry | None, progress: Progress | None, agreed: bool) -> tuple[Path, str] | None:
    """Return a dataset made from its sources, now or before."""
    root = None if item is None else fetching.fetch(item, agreed=agreed, progress=progress)
    if root is None or item is None:
        return None
    other = fetching.remark(root)
    edition = f" (not the registered edition: {other})" if other else ""
    return check_folder(root / item.folder), f"its public source{edition}"


def _places(mirror: str | os.PathLike[str] | None) -> Iterator[Mirror]:
    """Yield the folders of PARSIMONY_DATA, then the mirror."""
    for part in os.environ.get("PARSIMONY_DATA", "").split(os.pathsep):
        if part:
            yield FolderMirror(check_folder(Path(os.path.expanduser(part))))
    address = mirror or os.environ.get("PARSIMONY_MIRROR")
    if address:
        yield open_mirror(address)


def _find(
    name: str,
    item: Entry | None,
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
            # An archive that has been unpacked before needs no connection.
            ready = None if item is None else archives.find_unpacked(file, item.sha256)
            if ready is not None:
                return _inside(ready, name, item), f"{file} in the cache"
        if file == "":
            continue
        entry = place.find(name, file)
        if entry is not None:
            folder = _inside(place.obtain(entry, progress), name, item)
            # The published results of this project refer to the registered archive.
            other = item is not None and entry.sha256 != item.sha256
            edition = " (not the registered edition)" if other else ""
            return folder, f"{entry.file}{edition}"
    if item is None:
        return None
    if item.embedded:
        folder_or_none = _embedded(item)
        return None if folder_or_none is None else (folder_or_none, "embedded in the package")
    ready = archives.find_unpacked(item.archive, item.sha256) if item.archive else None
    return None if ready is None else (_inside(ready, name, item), f"{file} in the cache")


def _inside(root: Path, name: str, item: Entry | None) -> Path:
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
        f"the archive has {len(candidates)} dataset folders, none called {name!r}",
        remedy="give the folder's own name",
        where=str(root),
    )


def _embedded(item: Entry) -> Path | None:
    # The absolute path of a folder registered at runtime is left unchanged.
    path = Path(str(resources.files("parsimony.datasets"))) / "embedded" / item.folder
    return path if (path / "train.txt").is_file() else None
