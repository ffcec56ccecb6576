"""A named dataset from its public sources: fetched, checked, converted once, kept in the cache."""

from __future__ import annotations

import contextlib
import datetime
import glob
import hashlib
import ipaddress
import os
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parsimony.datasets import archive as archives
from parsimony.datasets import recipes
from parsimony.datasets.convert import converter
from parsimony.datasets.entry import Entry
from parsimony.datasets.recipes import Recipe, SourceFile
from parsimony.datasets.transfer import Progress, continued, explained
from parsimony.decoding.documents import checked, read_json
from parsimony.decoding.files import check_file
from parsimony.decoding.strict_json import json_text
from parsimony.errors import ChecksumMismatch, DataError, DownloadError, MissingFile
from parsimony.run.atomic import write_atomic
from parsimony.run.lock import only_writer
from parsimony.run.progress import Progress as Bar
from parsimony.run.progress import say

__all__ = ["SOURCES", "fetch", "kept", "remark"]

#: Where the files of sources are taken from instead: a folder or an address; below it lie
#: host and path, as in ``raw.githubusercontent.com/OWNER/REPOSITORY/COMMIT/FILE``.
SOURCES = "PARSIMONY_SOURCES"
#: Set to 1, nothing is fetched from another machine; ``PARSIMONY_SOURCES`` may be on this one.
OFFLINE = "PARSIMONY_OFFLINE"
_RECORD = "sources.json"  # checksums of first use, in the cache
_PATIENCE = 60.0  # seconds, for another process that writes there


def kept(item: Entry) -> Path | None:
    """Return the folder of a dataset that was made before, or None."""
    recipe = recipes.recipe(item.name)
    if recipe is None:
        return None
    return archives.find_unpacked(item.name, recipe.digest)


def remark(folder: Path) -> str:
    """Say how a folder that was made differs from the registered edition; "" if it does not."""
    told = read_json(folder / archives.RECORD)
    return str(told.get("differs", "")) if isinstance(told, dict) else ""


def fetch(item: Entry, *, agreed: bool = False, progress: Progress | None = None) -> Path | None:
    """Return the folder of a dataset, made from its sources where it was not yet; None without any.

    Parameters
    ----------
    item
        A registered dataset.
    agreed
        Whether the user has agreed to the terms of a source that has some.
    progress
        Called with the bytes done and the total (0 if unknown) of the file that is fetched.

    Raises
    ------
    MissingFile
        No public place has it, or its terms have not been agreed to.
    DownloadError, ChecksumMismatch
        A source did not answer, or sent something else.
    CorruptArchive, FormatError
        What it sent cannot be read.
    """
    recipe = recipes.recipe(item.name)
    if recipe is None or (found := kept(item)) is not None:
        return None if recipe is None else found
    free = f"; or use {recipe.free}" if recipe.free else ""
    if recipe.obtain:
        raise MissingFile(
            f"dataset {item.name!r} cannot be fetched; to obtain: {recipe.obtain}",
            remedy=f"put both into a folder and give --mirror FOLDER{free}",
        )
    if os.environ.get(OFFLINE, "") not in ("", "0") and not _on_this_machine():
        return None
    if recipe.terms and not agreed:
        raise MissingFile(
            f"dataset {item.name!r} has terms that you must agree to: {recipe.terms}",
            remedy=f"parsimony datasets get {item.name} --accept-terms{free}",
        )
    with archives.only_process(item.name, recipe.digest):
        return kept(item) or _made(item, recipe, progress)


def _on_this_machine() -> bool:
    """Whether ``PARSIMONY_SOURCES`` is a folder, or an address of this machine itself."""
    place = os.environ.get(SOURCES, "")
    if not place or _folder(place) is not None:
        return bool(place)
    host = urllib.parse.urlsplit(place).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _folder(place: str) -> Path | None:
    """The folder that ``PARSIMONY_SOURCES`` names, as a path or as file:; None for an address."""
    parts = urllib.parse.urlsplit(place)
    if parts.scheme.lower() in ("http", "https"):
        return None
    path = urllib.request.url2pathname(parts.path) if parts.scheme.lower() == "file" else place
    return Path(os.path.expanduser(path))


def _made(item: Entry, recipe: Recipe, progress: Progress | None) -> Path:
    where = os.environ.get(SOURCES) or " and ".join(recipe.hosts)
    say(f"{item.name}: fetching {recipe.size} from {where}; licence: {item.licence}")
    store = _store(item.name, recipe)
    raw, sums, left = {}, {}, recipe.most
    for file in recipe.files:
        path = raw[file.name] = _obtained(file, store, recipe, left, progress)
        sums[file.url] = _verified(file, path, path.parent == store)
        left -= path.stat().st_size * (path.parent == store)

    def fill(folder: Path) -> dict[str, Any]:
        inside = folder / item.folder
        inside.mkdir(parents=True)
        converter(recipe.convert)(raw, inside)
        return {
            "name": item.name,
            "licence": item.licence,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "sources": sums,
            "differs": _difference(item.name, recipe, inside),
        }

    try:
        folder = archives.keep(item.name, recipe.digest, fill)
    except DownloadError:  # the cache is full: what has arrived stays
        raise
    except DataError:  # what has arrived cannot be read: the next try fetches it anew
        shutil.rmtree(store, ignore_errors=True)
        raise
    _remember(sums)
    shutil.rmtree(store, ignore_errors=True)
    first = sum(not file.sha256 for file in recipe.files)
    known = recipes.edition(item.name) and not remark(folder)
    say(
        f"{item.name}: made in {folder}"
        + (
            ", the registered edition"
            if known
            else f"; checksums of {first} of {len(recipe.files)} files were taken on first use "
            f"({archives.cache_folder() / _RECORD})"
            if first
            else ""
        )
    )
    return folder


def _store(name: str, recipe: Recipe) -> Path:
    """Where a dataset's files are kept while they arrive; those of an older recipe are removed."""
    downloads, this = archives.cache_folder() / "downloads", recipe.digest[:16]
    for left in downloads.glob(f"{glob.escape(name)}-" + "[0-9a-f]" * len(this)):
        if left.name != f"{name}-{this}":
            shutil.rmtree(left, ignore_errors=True)
    return downloads / f"{name}-{this}"


def _obtained(
    file: SourceFile, store: Path, recipe: Recipe, left: int, progress: Progress | None
) -> Path:
    """Return a file of a source on this machine: of ``PARSIMONY_SOURCES``, or fetched."""
    place = os.environ.get(SOURCES, "")
    parts = urllib.parse.urlsplit(file.url)
    beneath = f"{parts.hostname}{parts.path}"
    if place and (folder := _folder(place)) is not None:
        return check_file(folder / beneath)
    url = f"{place.rstrip('/')}/{beneath}" if place else file.url
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"the cache cannot be written ({error.strerror})",
            remedy="set PARSIMONY_CACHE to a writable folder",
            where=str(store),
        ) from None
    path = store / (hashlib.sha256(file.url.encode()).hexdigest()[:8] + "-" + Path(file.name).name)
    if not path.exists():
        remedy = (
            "check the connection and try again (what has arrived is kept); or set "
            "PARSIMONY_SOURCES to a folder or address with the same files, or give --mirror "
            "URL|FOLDER"
        )
        limit = (
            left,
            f"that are left to it ({recipe.name}: {recipe.size}, refused above {recipe.most:,})",
            f"look at it; if it is right, put it into a folder as {beneath} and set "
            "PARSIMONY_SOURCES to that folder",
        )
        with (
            explained(url, "the source", remedy),
            _shown(recipe.name, file.name, progress) as told,
        ):
            continued(url, path, told, remedy=remedy, limit=limit)
    return path


@contextlib.contextmanager
def _shown(name: str, file: str, progress: Progress | None) -> Iterator[Progress]:
    """Show a bar on a terminal, unless the caller shows progress itself."""
    if progress is not None:
        yield progress
        return
    with contextlib.ExitStack() as stack:
        bars: list[tuple[Bar, int]] = []

        def tell(done: int, total: int) -> None:
            done //= 1024
            if not bars:
                bar = stack.enter_context(Bar(total // 1024, f"{name}: {file}, KiB"))
                bars.append((bar, 0))
            bar, before = bars.pop()
            bar.advance(done - before)
            bars.append((bar, done))

        yield tell


def _verified(file: SourceFile, path: Path, fetched: bool) -> str:
    """Return the SHA-256 of a file, compared with the recipe's, or with that of its first use.

    Raises
    ------
    ChecksumMismatch
    """
    record, found = archives.cache_folder() / _RECORD, archives.sha256_of(path)
    expected = file.sha256 or _known(record).get(file.url, found)
    if found != expected:
        if fetched:
            path.unlink()
        whose = "the recipe" if file.sha256 else f"{record}, where it was written on first use"
        raise ChecksumMismatch(
            f"sha256 {found[:16]}…, expected {expected[:16]}… by {whose}",
            remedy="fetch it again, or from another place: set PARSIMONY_SOURCES, or give --mirror"
            + ("" if file.sha256 else f"; if you trust what is there now, delete {record}"),
            where=file.url,
        )
    return found


def _known(record: Path) -> dict[str, str]:
    return checked(dict[str, str], read_json(record), str(record)) if record.exists() else {}


def _remember(sums: dict[str, str]) -> None:
    """Write the checksums of files that could be read, for later transfers to be compared with."""
    record = archives.cache_folder() / _RECORD
    with only_writer(  # another set may be fetched just now
        record, patience=_PATIENCE, otherwise="set PARSIMONY_CACHE to another folder"
    ):
        known = _known(record)
        if new := {url: sha256 for url, sha256 in sums.items() if url not in known}:
            write_atomic(record, json_text(known | new, indent=1) + "\n")


def _difference(name: str, recipe: Recipe, folder: Path) -> str:
    """Compare the files with those of the registered edition; say which differ, and why."""
    expected = recipes.edition(name)
    other = [
        file for file, sha256 in expected.items()
        if not (path := _file(folder, file)).exists() or archives.sha256_of(path) != sha256
    ]  # fmt: skip
    said = [f"{', '.join(other)} differ{'s' * (len(other) == 1)}"] if other else []
    return "; ".join([*said, *([recipe.differs] if recipe.differs else [])])


def _file(folder: Path, file: str) -> Path:
    """A file of an edition: in the folder, or, of an inductive pair, in one of the two."""
    top = file.split("/")[0]
    return (folder.parent if top.removesuffix("_ind") == folder.name else folder) / file
