"""Archives: verified by checksum and unpacked once into the cache, atomically and safely."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any

from parsimony.decoding.files import check_file
from parsimony.errors import ChecksumMismatch, CorruptArchive, DownloadError

__all__ = ["RECORD", "cache_folder", "find_unpacked", "sha256_of", "unpack", "verify"]

RECORD = ".parsimony.json"
# Text compresses about tenfold; an archive that expands a thousandfold is an attack or damaged.
_MAX_GROWTH = 1000
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


def find_unpacked(file: str, sha256: str | None = None) -> Path | None:
    """Return the folder of an unpacked archive in the cache, or None.

    Parameters
    ----------
    file : str
        The archive's name.
    sha256 : str, optional
        Checksum to match; without it, the most recently unpacked archive is taken.
    """
    root = cache_folder() / "datasets"
    if sha256 is not None:
        folder = root / _unpacked_name(file, sha256)
        return folder if (folder / RECORD).is_file() else None
    found = []
    for record in root.glob(f"*/{RECORD}"):
        try:
            if json.loads(record.read_text(encoding="utf-8"))["file"] == file:
                found.append((record.stat().st_mtime, record.parent))
        except (OSError, ValueError, KeyError):
            continue
    return max(found)[1] if found else None


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
    target = cache_folder() / "datasets" / _unpacked_name(file, sha256)
    if (target / RECORD).is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    except OSError as error:
        raise DownloadError(
            f"the cache cannot be written ({error.strerror})",
            remedy="set PARSIMONY_CACHE to a writable folder",
            where=str(target.parent),
        ) from None
    try:
        extract(archive, temporary)
        text = json.dumps({"file": file, "sha256": sha256, **record}, indent=1)
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


def extract(archive: Path, folder: Path) -> None:
    """Extract the regular files of a ``.tar.gz`` into ``folder``.

    Raises
    ------
    CorruptArchive
    """
    limit = max(check_file(archive).stat().st_size * _MAX_GROWTH, 1 << 26)
    total = 0

    def plain(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo:
        """Apply tarfile's data filter, refusing links and limiting the size."""
        nonlocal total
        total += member.size
        if total > limit:
            raise _unsafe(f"unpacks to more than {limit:,} bytes", archive)
        name = f"member {member.name[:80]!r}"
        if not (member.isreg() or member.isdir()):
            raise _unsafe(f"{name} is a link or a device; {_EXPECTED}", archive)
        try:
            filtered = tarfile.data_filter(member, destination)
        except tarfile.FilterError:
            filtered = None
        if filtered is None or filtered.name != member.name:  # the filter turns "/a" into "a"
            raise _unsafe(f"{name} points outside the archive; {_EXPECTED}", archive)
        return filtered

    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(folder, filter=plain)
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
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
