"""Archives: verified by checksum and unpacked once into the cache, atomically and safely."""

from __future__ import annotations

import glob
import gzip
import hashlib
import os
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from parsimony.decoding.documents import read_json
from parsimony.decoding.files import check_file
from parsimony.decoding.strict_json import json_text
from parsimony.errors import (
    CannotWrite,
    ChecksumMismatch,
    CorruptArchive,
    DownloadError,
    ParsimonyError,
)
from parsimony.run.lock import only_writer

__all__ = [
    "RECORD",
    "cache_folder",
    "find_unpacked",
    "keep",
    "only_process",
    "sha256_of",
    "temporary_folder",
    "unpack",
    "verify",
]

RECORD = ".parsimony.json"
# Text compresses about tenfold; an archive that expands a hundredfold is an attack or damaged.
_MAX_GROWTH = 100
_MAX_MEMBERS = 100_000
# The data of members are copied in small pieces; only a header, such as a long name, is read whole.
_MAX_HEADER = 1 << 20
_PATIENCE = 3600.0  # seconds, for another process that downloads the same
_EXPECTED = "expected plain files and folders"


def cache_folder() -> Path:
    """Return ``PARSIMONY_CACHE``, or else ``parsimony`` in the user's cache folder."""
    if path := os.environ.get("PARSIMONY_CACHE"):
        return Path(os.path.expanduser(path))
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "parsimony"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(path: Path, sha256: str, n_bytes: int | None = None) -> None:
    """Compare a file with the checksum in its manifest.

    Raises
    ------
    ChecksumMismatch
    """
    size = check_file(path).stat().st_size
    if n_bytes is not None and size != n_bytes:
        short = " (truncated?)" if size < n_bytes else ""
        raise ChecksumMismatch(
            f"{size:,} bytes{short}, expected {n_bytes:,} by the manifest",
            remedy="fetch the archive again",
            where=str(path),
        )
    if (found := sha256_of(path)) != sha256:
        raise ChecksumMismatch(
            f"sha256 {found[:16]}…, expected {sha256[:16]}… by the manifest",
            remedy="fetch the archive again",
            where=str(path),
        )


def _unpacked_name(file: str, sha256: str) -> str:
    stem = file.removesuffix(".gz").removesuffix(".tgz").removesuffix(".tar")
    return f"{stem}-{sha256[:16]}"


def _temporary_prefix(file: str, sha256: str) -> str:
    return f".making-{_unpacked_name(file, sha256)}-"


def temporary_folder(place: Path, file: str, sha256: str) -> Path:
    """Create a folder in which an archive is fetched or unpacked.

    Not by tempfile: its mode 0700 would hide a shared cache from everybody else.
    """
    folder = place / f"{_temporary_prefix(file, sha256)}{secrets.token_hex(8)}"
    folder.mkdir()
    return folder


@contextmanager
def only_process(file: str, sha256: str) -> Iterator[None]:
    """Let one process fetch and unpack an archive; what a killed one left is removed.

    Raises
    ------
    DownloadError
        The cache cannot be written.
    RunExists
        Another process has been at it for an hour.
    """
    root = cache_folder()
    try:
        with only_writer(
            root / "datasets" / _unpacked_name(file, sha256), patience=_PATIENCE,
            otherwise="set PARSIMONY_CACHE to another folder",
        ):  # fmt: skip
            for place in ("datasets", "downloads"):
                pattern = glob.escape(_temporary_prefix(file, sha256)) + "*"
                for left in (root / place).glob(pattern):
                    shutil.rmtree(left, ignore_errors=True)
            yield
    except CannotWrite as error:
        raise DownloadError(
            f"the cache cannot be written ({error.message})",
            remedy="free space, or set PARSIMONY_CACHE to a writable folder",
            where=error.where,
        ) from None


def find_unpacked(file: str, sha256: str) -> Path | None:
    """Return the folder of an unpacked archive in the cache, or None.

    Parameters
    ----------
    file : str
        The archive's name.
    sha256 : str
        Its checksum: another edition of the same name never takes its place.
    """
    folder = cache_folder() / "datasets" / _unpacked_name(file, sha256)
    return folder if (folder / RECORD).is_file() else None


def other_editions(file: str) -> list[str]:
    """Return the mirrors whose edition of an archive is unpacked in the cache."""
    mirrors = []
    for record in (cache_folder() / "datasets").glob(f"*/{RECORD}"):
        try:
            told = read_json(record)
        except ParsimonyError:
            continue
        if isinstance(told, dict) and told.get("file") == file and told.get("mirror"):
            mirrors.append(str(told["mirror"]))
    return sorted(set(mirrors))


def unpack(archive: Path, file: str, sha256: str, record: dict[str, Any]) -> Path:
    """Unpack a verified archive into the cache and return the folder.

    The members are extracted into a temporary folder that is renamed when complete, so that
    neither a crash nor a bad archive leaves an incomplete dataset.

    Parameters
    ----------
    archive : Path
        The ``.tar.gz`` file.
    file : str
        The archive's name in its manifest.
    sha256 : str
        Its checksum, part of the folder's name.
    record : dict
        Metadata to store with it: mirror, licence.

    Raises
    ------
    CorruptArchive
        It is truncated or damaged, or has members that are links or point outside.
    DownloadError
        The cache cannot be written.
    """

    def fill(folder: Path) -> dict[str, Any]:
        extract(archive, folder)
        return record

    return keep(file, sha256, fill)


def keep(file: str, sha256: str, fill: Callable[[Path], dict[str, Any]]) -> Path:
    """Put a folder into the cache, complete or not at all, and return it.

    Parameters
    ----------
    file, sha256
        Its name, and what tells its editions apart.
    fill
        Writes into an empty folder; returns what the folder's record says beside these two.

    Raises
    ------
    DownloadError
        The cache cannot be written.
    """
    target = cache_folder() / "datasets" / _unpacked_name(file, sha256)
    if (target / RECORD).is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_folder(target.parent, file, sha256)
    except OSError as error:
        raise DownloadError(
            f"the cache cannot be written ({error.strerror})",
            remedy="set PARSIMONY_CACHE to a writable folder",
            where=str(target.parent),
        ) from None
    try:
        text = json_text({"file": file, "sha256": sha256, **fill(temporary)}, indent=1)
        (temporary / RECORD).write_text(text + "\n", encoding="utf-8")
        if target.exists() and not (target / RECORD).is_file():
            shutil.rmtree(target)
        try:
            temporary.rename(target)
        except OSError:
            # Another process has unpacked the same archive in the meantime.
            if not (target / RECORD).is_file():
                raise
    except OSError as error:
        raise DownloadError(
            f"the cache cannot be written ({error.strerror or error})",
            remedy="free space, or set PARSIMONY_CACHE to another folder",
            where=str(target.parent),
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


class _Bounded(gzip.GzipFile):
    """The unpacked stream of an archive: what is read counts, not what headers declare."""

    def __init__(self, stream: BinaryIO, archive: Path) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._archive = archive
        self._limit = max(check_file(archive).stat().st_size * _MAX_GROWTH, 1 << 26)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER:
            raise _unsafe(f"a header of more than {_MAX_HEADER:,} bytes", self._archive)
        data = super().read(size)
        self._require(self.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._require(offset)
        return super().seek(offset, whence)

    def _require(self, position: int) -> None:
        if position > self._limit:
            raise _unsafe(f"unpacks to more than {self._limit:,} bytes", self._archive)


def extract(archive: Path, folder: Path) -> None:
    """Extract the regular files of a ``.tar.gz`` into ``folder``.

    Raises
    ------
    CorruptArchive
        Truncated, damaged, with links or names that point outside, or unpacking to too much.
    """
    members = 0

    def plain(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo:
        """Apply tarfile's data filter, refusing links and limiting the number of members."""
        nonlocal members
        members += 1
        if members > _MAX_MEMBERS:
            raise _unsafe(f"more than {_MAX_MEMBERS:,} members", archive)
        name = f"member {member.name[:80]!r}"
        if not (member.isreg() or member.isdir()) or member.issparse():
            raise _unsafe(f"{name} is a link, a device or sparse; {_EXPECTED}", archive)
        try:
            filtered = tarfile.data_filter(member, destination)
        except tarfile.FilterError:
            filtered = None
        if filtered is None or filtered.name != member.name:  # the filter turns "/a" into "a"
            raise _unsafe(f"{name} points outside the archive; {_EXPECTED}", archive)
        return filtered

    try:
        # One member after the other: a list of all of them could itself be too long.
        with (
            check_file(archive).open("rb") as raw,
            _Bounded(raw, archive) as stream,
            tarfile.open(fileobj=stream, mode="r:") as tar,
        ):
            for member in tar:
                tar.extract(member, folder, filter=plain)
                tar.members = []  # type: ignore[attr-defined]
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise _damaged(archive, error) from None
    except OSError as error:
        # gzip reports a bad header or checksum as a plain OSError without an errno.
        if error.errno is not None:
            raise
        raise _damaged(archive, error) from None


def _damaged(archive: Path, error: Exception) -> CorruptArchive:
    return CorruptArchive(
        f"a damaged or truncated archive ({error}); expected a .tar.gz",
        remedy="fetch it again",
        where=str(archive),
    )


def _unsafe(message: str, archive: Path) -> CorruptArchive:
    return CorruptArchive(
        message, remedy="fetch the archive from a source you trust", where=str(archive)
    )
