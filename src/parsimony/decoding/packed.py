"""Files packed by gzip or zstd, read as what they hold; the last suffix of the name says so."""

from __future__ import annotations

import gzip
import importlib
import io
import zlib
from pathlib import Path
from typing import IO, Any

from parsimony.decoding.files import check_file
from parsimony.errors import FormatError, MissingExtra

__all__ = ["PACKED", "bare", "opened"]

#: suffix → what packed the file
PACKED = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
_BUFFER = 1 << 20


def bare(path: Path) -> Path:
    """Return a path without the suffix of its packer: ``facts.tsv`` of ``facts.tsv.gz``."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def opened(path: Path) -> IO[bytes]:
    """Open a file for reading; one named ``.gz`` or ``.zst`` is unpacked on the way.

    Raises
    ------
    MissingFile, NotAFile
        There is no such file.
    FormatError
        It is not packed as its name says; while reading: it is damaged or cut off.
    MissingExtra
        zstd on a Python older than 3.14 without the package that reads it.
    """
    suffix, raw = path.suffix.lower(), check_file(path).open("rb")
    if suffix not in PACKED:
        return raw
    start = raw.read(4)
    raw.seek(0)
    if start and not start.startswith(_MAGIC[suffix]):
        raw.close()
        raise FormatError(
            f"not packed by {PACKED[suffix]}, as its name says",
            remedy=f"rename it to {bare(path).name}, or pack it again",
            where=str(path),
        )
    if suffix == ".gz":
        stream: Any = gzip.GzipFile(fileobj=raw)
    elif start:
        stream = _zstd().ZstdFile(raw)
    else:
        stream = raw
    return io.BufferedReader(_Unpacked(stream, raw, path), _BUFFER)


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):  # of Python 3.14; the same, for older ones
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    raise MissingExtra(
        "files packed by zstd need the package backports.zstd",
        remedy="pip install 'parsimony-learning[zstd]', or unpack the file first: zstd -d",
    )


class _Unpacked(io.RawIOBase):
    """A packed stream whose damage is an error of ours; :meth:`tell_packed` says how far it is."""

    def __init__(self, stream: Any, raw: IO[bytes], path: Path) -> None:
        self._stream, self._raw, self._path = stream, raw, path
        self._damage: tuple[type[Exception], ...] = (EOFError, zlib.error, OSError)
        if path.suffix.lower() == ".zst" and stream is not raw:
            self._damage += (_zstd().ZstdError,)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        try:
            return int(self._stream.readinto(target))
        except self._damage as error:
            raise FormatError(
                f"packed by {PACKED[self._path.suffix.lower()]}, but damaged or cut off "
                f"({str(error)[:100]})",
                remedy="copy or download the file again",
                where=str(self._path),
            ) from None

    def tell_packed(self) -> int:
        """Bytes of the packed file that have been read."""
        return self._raw.tell()

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._raw.close()
        super().close()
