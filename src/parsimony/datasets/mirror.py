"""Mirrors: folders or URLs with archives and a ``manifest.json``."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from parsimony.datasets import archive as archives
from parsimony.datasets.transfer import Limited, Progress, explained, transfer
from parsimony.decoding.documents import parse_json
from parsimony.decoding.files import check_file, check_folder, read_text
from parsimony.errors import DownloadError, FormatError

__all__ = ["FolderMirror", "HttpMirror", "ManifestEntry", "Mirror", "open_mirror"]

_MANIFEST_LIMIT = 1 << 24
_RETRIES = 2  # of an interrupted transfer


class ManifestEntry:
    """The entry of one archive in a manifest."""

    def __init__(self, raw: dict[str, Any], where: str) -> None:
        try:
            self.file = str(raw["file"])
            self.sha256 = str(raw["sha256"]).lower()
            self.n_bytes = int(raw["bytes"]) if "bytes" in raw else None
        except (KeyError, TypeError, ValueError, OverflowError):
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
    """A source of archives; :meth:`obtain` returns one unpacked."""

    address: str

    @abstractmethod
    def _manifest_text(self) -> str | None: ...

    @abstractmethod
    def _fetch(self, entry: ManifestEntry, progress: Progress | None) -> Path: ...

    def manifest(self) -> list[ManifestEntry]:
        """Return the entries of the manifest; an empty list without a manifest.

        Raises
        ------
        DownloadError, FormatError, EncodingError
        """
        text = self._manifest_text()
        if text is None:
            return []
        where = self.address.rstrip("/") + "/manifest.json"
        try:
            raw = parse_json(text, where)["datasets"]
            entries = [dict(item) for item in raw]
        except (FormatError, ValueError, KeyError, TypeError) as error:
            raise FormatError(
                f'expected a JSON object {{"datasets": [{{"name", "file", "sha256"}}]}} ({error})',
                remedy="correct the manifest",
                where=where,
            ) from None
        return [ManifestEntry(item, where) for item in entries]

    def find(self, name: str, file: str | None) -> ManifestEntry | None:
        """Return the entry of archive ``file``, or else the one called ``name``."""
        for entry in self.manifest():
            if entry.file == file or (file is None and entry.name == name):
                return entry
        return None

    def obtain(self, entry: ManifestEntry, progress: Progress | None = None) -> Path:
        """Return the folder of the unpacked archive, fetching it if necessary.

        Raises
        ------
        ChecksumMismatch, CorruptArchive, DownloadError, MissingFile
        """
        ready = archives.find_unpacked(entry.file, entry.sha256)
        if ready is not None:
            return ready
        with archives.only_process(entry.file, entry.sha256):
            ready = archives.find_unpacked(entry.file, entry.sha256)  # by another process meanwhile
            if ready is not None:
                return ready
            path = self._fetch(entry, progress)
            try:
                archives.verify(path, entry.sha256, entry.n_bytes)
                record = {"mirror": self.address, "licence": entry.licence, "name": entry.name}
                return archives.unpack(path, entry.file, entry.sha256, record)
            finally:
                self._release(path)

    def _release(self, path: Path) -> None:  # noqa: B027
        """Remove what :meth:`_fetch` downloaded; local archives are kept."""


class FolderMirror(Mirror):
    """A local folder of archives with a manifest, of dataset folders, or of both."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = check_folder(Path(os.path.expanduser(folder)))
        self.address = str(self.folder)

    def dataset_folder(self, name: str) -> Path | None:
        """Return the dataset folder of that name, if the mirror has it unpacked."""
        path = self.folder / name
        return path if (path / "train.txt").exists() else None

    def _manifest_text(self) -> str | None:
        path = self.folder / "manifest.json"
        return read_text(path) if path.exists() or path.is_symlink() else None

    def _fetch(self, entry: ManifestEntry, progress: Progress | None) -> Path:
        return check_file(self.folder / entry.file)


class HttpMirror(Mirror):
    """A URL below which the manifest and the archives are."""

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")

    def _manifest_text(self) -> str:
        content = io.BytesIO()
        with self._explained("manifest.json") as url:
            transfer(url, Limited(content, _MANIFEST_LIMIT, "that a manifest may have", url))
        try:
            return content.getvalue().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DownloadError(
                f"the manifest could not be read ({error})",
                remedy="try again, or use another mirror",
                where=url,
            ) from None

    def _fetch(self, entry: ManifestEntry, progress: Progress | None) -> Path:
        import pooch

        pooch.get_logger().setLevel("WARNING")  # otherwise it logs every transfer on stderr
        folder = archives.cache_folder() / "downloads"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder = archives.temporary_folder(folder, entry.file, entry.sha256)
        except OSError as error:
            raise DownloadError(
                f"the cache cannot be written ({error.strerror})",
                remedy="set PARSIMONY_CACHE to a writable folder",
                where=str(folder),
            ) from None

        def download(url: str, path: str, _: Any) -> None:
            with open(path, "wb") as out:
                whose = "stated in the manifest"
                transfer(url, Limited(out, entry.n_bytes, whose, url, progress))

        try:
            with self._explained(entry.file) as url:
                shelf = pooch.create(
                    # The checksum is compared later, together with that of local archives.
                    folder, "", registry={entry.file: None}, urls={entry.file: url},
                    retry_if_failed=_RETRIES,
                )  # fmt: skip
                return Path(shelf.fetch(entry.file, downloader=download))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @contextlib.contextmanager
    def _explained(self, file: str) -> Iterator[str]:
        """Yield the URL of a file; turn errors inside the block into a DownloadError."""
        url = f"{self.address}/{urllib.parse.quote(file)}"
        remedy = "check the address and the connection and try again, or give a local folder"
        with explained(url, "the mirror", remedy=remedy):
            yield url

    def _release(self, path: Path) -> None:
        shutil.rmtree(path.parent, ignore_errors=True)


def open_mirror(address: str | os.PathLike[str]) -> Mirror:
    """Return the mirror at a URL or in a folder.

    Raises
    ------
    MissingFile, NotAFile
        No such folder.
    """
    text = os.fspath(address)
    if text.lower().startswith(("http://", "https://")):
        return HttpMirror(text)
    return FolderMirror(text)
