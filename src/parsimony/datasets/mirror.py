"""Mirrors: folders or web addresses that hold archives and a ``manifest.json``."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from parsimony.datasets import archive as archives
from parsimony.errors import DownloadError, FormatError
from parsimony.graph.files import check_file, check_folder, read_text

__all__ = ["FolderMirror", "HttpMirror", "Mirror", "Promise", "open_mirror"]

Progress = Callable[[int, int], None]
_TIMEOUT = 30.0
_CHUNK = 1 << 18
_MANIFEST_LIMIT = 1 << 24


class Promise:
    """One archive as the manifest promises it."""

    def __init__(self, raw: dict[str, Any], where: str) -> None:
        try:
            self.file = str(raw["file"])
            self.sha256 = str(raw["sha256"]).lower()
            self.n_bytes = int(raw["bytes"]) if "bytes" in raw else None
        except (KeyError, TypeError, ValueError):
            raise FormatError(
                "a manifest entry without file and sha256",
                remedy='give every entry "name", "file", "bytes" and "sha256"',
                where=where,
            ) from None
        if self.file != PurePosixPath(self.file).name or self.file in ("", ".", ".."):
            raise FormatError(
                f"file {self.file!r}, expected a plain name beside the manifest",
                remedy="use a mirror you trust",
                where=where,
            )
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise FormatError(
                f"sha256 {self.sha256[:70]!r}, expected 64 hexadecimal digits",
                remedy="correct the manifest",
                where=where,
            )
        self.name = str(raw.get("name", ""))
        self.licence = str(raw.get("licence", raw.get("license", "")))


class Mirror(ABC):
    """A place that serves archives; :meth:`obtain` returns one unpacked."""

    address: str

    @abstractmethod
    def _manifest_text(self) -> str | None: ...

    @abstractmethod
    def _fetch(self, promise: Promise, progress: Progress | None) -> Path: ...

    def promises(self) -> list[Promise]:
        """Return what the manifest promises; an empty list without a manifest.

        Raises
        ------
        DownloadError, FormatError, EncodingError
        """
        text = self._manifest_text()
        if text is None:
            return []
        where = self.address.rstrip("/") + "/manifest.json"
        try:
            raw = json.loads(text)["datasets"]
            entries = [dict(item) for item in raw]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f'expected a JSON object {{"datasets": [{{"name", "file", "sha256"}}]}} ({error})',
                remedy="correct the manifest",
                where=where,
            ) from None
        return [Promise(item, where) for item in entries]

    def find(self, name: str, file: str | None) -> Promise | None:
        """Return the promise of archive ``file``, or of the entry called ``name``."""
        for promise in self.promises():
            if promise.file == file or (file is None and promise.name == name):
                return promise
        return None

    def obtain(self, promise: Promise, progress: Progress | None = None) -> Path:
        """Return the folder where the archive lies unpacked, fetching it if need be.

        Raises
        ------
        ChecksumMismatch, CorruptArchive, DownloadError, MissingFile
        """
        ready = archives.find_unpacked(promise.file, promise.sha256)
        if ready is not None:
            return ready
        path = self._fetch(promise, progress)
        try:
            archives.verify(path, promise.sha256, promise.n_bytes)
            record = {"mirror": self.address, "licence": promise.licence, "name": promise.name}
            return archives.unpack(path, promise.file, promise.sha256, record)
        finally:
            self._release(path)

    def _release(self, path: Path) -> None:  # noqa: B027
        """Drop what :meth:`_fetch` made; a folder's own archive stays."""


class FolderMirror(Mirror):
    """A local folder of archives with a manifest, of dataset folders, or of both."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = check_folder(Path(folder).expanduser())
        self.address = str(self.folder)

    def dataset_folder(self, name: str) -> Path | None:
        """Return the dataset folder of that name, if the mirror holds it unpacked."""
        path = self.folder / name
        return path if (path / "train.txt").exists() else None

    def _manifest_text(self) -> str | None:
        path = self.folder / "manifest.json"
        return read_text(path) if path.exists() or path.is_symlink() else None

    def _fetch(self, promise: Promise, progress: Progress | None) -> Path:
        return check_file(self.folder / promise.file)


class HttpMirror(Mirror):
    """A web address below which the manifest and the archives lie."""

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")

    def _open(self, file: str) -> Any:
        url = f"{self.address}/{urllib.parse.quote(file)}"
        try:
            return urllib.request.urlopen(url, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            raise DownloadError(
                f"the mirror answered {error.code} {error.reason}",
                remedy="check the address given as --mirror or PARSIMONY_MIRROR",
                where=url,
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise DownloadError(
                f"the mirror did not answer ({reason})",
                remedy="check the address and the connection, or give a local folder",
                where=url,
            ) from None

    def _manifest_text(self) -> str | None:
        with self._open("manifest.json") as answer:
            try:
                data: bytes = answer.read(_MANIFEST_LIMIT)
                return data.decode("utf-8")
            except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
                raise DownloadError(
                    f"the manifest could not be read ({error})",
                    remedy="try again, or use another mirror",
                    where=f"{self.address}/manifest.json",
                ) from None

    def _fetch(self, promise: Promise, progress: Progress | None) -> Path:
        folder = archives.cache_folder() / "downloads"
        where = f"{self.address}/{promise.file}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".fetching-", dir=folder)
        except OSError as error:
            raise DownloadError(
                f"the cache cannot be written ({error.strerror})",
                remedy="set PARSIMONY_CACHE to a writable folder",
                where=str(folder),
            ) from None
        path, done = Path(name), 0
        try:
            with os.fdopen(handle, "wb") as out, self._open(promise.file) as answer:
                while chunk := answer.read(_CHUNK):
                    out.write(chunk)
                    done += len(chunk)
                    if promise.n_bytes is not None and done > promise.n_bytes:
                        raise DownloadError(
                            f"more than the {promise.n_bytes:,} bytes that the manifest promises",
                            remedy="use another mirror",
                            where=where,
                        )
                    if progress is not None:
                        progress(done, promise.n_bytes or 0)
        except (OSError, http.client.HTTPException) as error:
            path.unlink(missing_ok=True)
            raise DownloadError(
                f"the transfer broke off after {done:,} bytes ({error})",
                remedy="try again",
                where=where,
            ) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _release(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def open_mirror(address: str | os.PathLike[str]) -> Mirror:
    """Return the mirror at a web address or in a folder.

    Raises
    ------
    MissingFile, NotAFile
        No such folder.
    """
    text = os.fspath(address)
    if text.lower().startswith(("http://", "https://")):
        return HttpMirror(text)
    return FolderMirror(text)
