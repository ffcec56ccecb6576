"""Reading what sources publish: lines, members of archives, tables."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

import polars as pl

from parsimony.decoding.files import check_file
from parsimony.errors import CorruptArchive, FormatError

__all__ = [
    "Triple",
    "lines",
    "member",
    "rows",
    "table",
    "triples",
    "unpacked",
    "write_lines",
    "write_triples",
]

Triple = tuple[str, str, str]
_MOST = 1 << 33  # bytes of one member, unpacked; the largest that is read has about 3 GB


def lines(content: bytes | Path, where: str = "") -> list[str]:
    """Return the lines that are not empty, without line ends and spaces around them."""
    data = content.read_bytes() if isinstance(content, Path) else content
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 ({error})", remedy="fetch it again", where=where) from None
    return [stripped for line in text.split("\n") if (stripped := line.strip(" \t\r"))]


def rows(content: bytes | Path, width: int, where: str) -> list[list[str]]:
    """Return lines of ``width`` fields, separated by tabs if a line has one, else by spaces.

    Raises
    ------
    FormatError
        A line of another width; ``where`` names it.
    """
    found = []
    for number, line in enumerate(lines(content, where), start=1):
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) != width:
            raise FormatError(
                f"{len(fields)} fields, expected {width}",
                remedy="the source has changed its format: use a mirror, or report it",
                where=f"{where}:{number}",
            )
        found.append([field.strip() for field in fields])
    return found


def triples(content: bytes | Path, where: str) -> list[Triple]:
    """Return lines of head, relation, tail."""
    return [(h, r, t) for h, r, t in rows(content, 3, where)]


def member(archive: Path, name: str) -> IO[bytes]:
    """Open a member of a ``.tar.gz`` or ``.zip``: the one so called that lies least deep.

    Parameters
    ----------
    archive
    name
        The end of its path: ``train.txt``, or ``split/random/train.pt``.

    Raises
    ------
    CorruptArchive
        Damaged, without the member, or with one that unpacks to too much.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                best = _shallowest(packed.namelist(), name, archive)
                if packed.getinfo(best).file_size > _MOST:
                    raise _bad(f"{best} unpacks to more than {_MOST:,} bytes", archive)
                return io.BytesIO(packed.read(best))
        with tarfile.open(archive, "r:*") as tar:
            files = {item.name: item for item in tar if item.isreg()}
            best = _shallowest(files, name, archive)
            if files[best].size > _MOST:
                raise _bad(f"{best} unpacks to more than {_MOST:,} bytes", archive)
            opened = tar.extractfile(files[best])
            assert opened is not None  # a regular file
            return io.BytesIO(opened.read())
    except (
        tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError,
        RuntimeError,  # encrypted, or packed in a way that is not known
        gzip.BadGzipFile,
    ) as e:  # fmt: skip
        raise _bad(f"a damaged archive ({e})", archive) from None


def unpacked(archive: Path, name: str) -> bytes:
    """Return a ``.gz`` inside an archive, unpacked.

    Raises
    ------
    CorruptArchive
        As :func:`member`.
    """
    try:
        content = gzip.GzipFile(fileobj=member(archive, name)).read(_MOST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _bad(f"{name} is damaged ({error})", archive) from None
    if len(content) > _MOST:
        raise _bad(f"{name} unpacks to more than {_MOST:,} bytes", archive)
    return content


def _shallowest(names: Iterable[str], wanted: str, archive: Path) -> str:
    end = PurePosixPath(wanted).parts
    fitting = [
        name for name in names
        if PurePosixPath(name).parts[-len(end) :] == end and "__MACOSX" not in name
    ]  # fmt: skip
    if not fitting:
        raise _bad(f"no member {wanted!r}", archive)
    return min(fitting, key=lambda name: (len(PurePosixPath(name).parts), name))


def _bad(message: str, archive: Path) -> CorruptArchive:
    return CorruptArchive(message, remedy="fetch it again", where=str(check_file(archive)))


def table(
    source: Path | IO[bytes], columns: Iterable[str], separator: str = ",", where: str = ""
) -> pl.DataFrame:
    """Read columns of a text table with a header, every cell as text, empty cells as ``""``.

    Raises
    ------
    FormatError
        No such table, or one without these columns.
    """
    try:
        found = pl.read_csv(source, separator=separator, columns=list(columns), infer_schema=False)
        return found.select(columns).fill_null("")
    except pl.exceptions.PolarsError as error:
        raise FormatError(
            f"not the table that was expected ({str(error).splitlines()[0]})",
            remedy="the source has changed its format: use a mirror, or report it",
            where=where or str(source),
        ) from None


def write_lines(path: Path, content: Iterable[str]) -> None:
    """Write one line each."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in content)


def write_triples(path: Path, content: Iterable[Triple]) -> None:
    """Write head, relation, tail, separated by tabs."""
    write_lines(path, map("\t".join, content))
