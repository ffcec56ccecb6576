"""Columns of Parquet files as text, in batches, with limits on what they unpack to.

A Parquet file can be ten thousand times smaller than its content, so its size says nothing. The
footer's numbers are checked before anything is unpacked (they tell how much is allocated at once),
and what has been unpacked is counted, as the footer may be wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from parsimony.decoding.files import check_file, memory_budget
from parsimony.decoding.number_text import as_text
from parsimony.errors import FormatError

__all__ = [
    "PARQUET",
    "join_parquet",
    "parquet_batches",
    "parquet_rows",
    "parquet_schema",
    "read_parquet",
]

PARQUET = frozenset({".parquet", ".pq"})
# Always read: 22 million triples and 2 GiB of text. Beyond that a file must not unpack to more than
# so many cells or characters per byte of its own.
MAX_CELLS, CELLS_PER_BYTE = 1 << 26, 100
MAX_TEXT, TEXT_PER_BYTE = 1 << 31, 1000
MAX_FOOTER = 64 << 20
_PAGE_HEADER = 1 << 16  # with the statistics that it may hold
_BATCH = 1 << 17
_REMEDY = "split it into smaller files, drop repeated rows, or write the rows as TSV"
_FAILURES = (
    pl.exceptions.PolarsError, pl.exceptions.PanicException,
    OSError, ValueError, TypeError, OverflowError, IndexError, KeyError, AttributeError,
)  # fmt: skip


def parquet_schema(path: str | os.PathLike[str]) -> dict[str, pl.DataType]:
    """Return names and types of the columns.

    Raises
    ------
    MissingFile, NotAFile, FormatError
    """
    path = check_file(path)
    try:
        with path.open("rb") as stream:
            return dict(pl.read_parquet_schema(stream))
    except _FAILURES as error:
        raise _unreadable(path, error) from None


def parquet_rows(path: str | os.PathLike[str]) -> int:
    """Return the number of rows that a file declares.

    Raises
    ------
    MissingFile, NotAFile, FormatError
    """
    path = check_file(path)
    try:
        with path.open("rb") as stream:
            return _Footer.read(stream, set()).rows
    except _FAILURES as error:
        raise _unreadable(path, error) from None


def read_parquet(
    path: str | os.PathLike[str],
    columns: Mapping[str, str],
    types: Mapping[str, pl.DataType] | None = None,
) -> pl.DataFrame:
    """Read columns as text.

    Parameters
    ----------
    path : path
    columns : mapping of str to str
        From the name in the result to the name in the file.
    types : mapping of str to polars.DataType, optional
        Categorical types by name in the result; String by default.

    Returns
    -------
    polars.DataFrame
        Nulls are kept.

    Raises
    ------
    MissingFile, NotAFile
    FormatError
        Not Parquet, a column of lists or other nested values, or a file that unpacks to too much.
    """
    schema = {name: (types or {}).get(name, pl.String()) for name in columns}
    return pl.concat([pl.DataFrame(schema=schema), *parquet_batches(path, columns, types)])


def parquet_batches(
    path: str | os.PathLike[str],
    columns: Mapping[str, str],
    types: Mapping[str, pl.DataType] | None = None,
    *,
    whole: bool = True,
) -> Iterator[pl.DataFrame]:
    """Yield what :func:`read_parquet` returns, a batch after the other.

    Parameters
    ----------
    path, columns, types
        As of :func:`read_parquet`.
    whole : bool
        Whether all batches are kept, so that they must fit into memory together.

    Raises
    ------
    MissingFile, NotAFile, FormatError
        As of :func:`read_parquet`.
    """
    path = check_file(path)
    found = parquet_schema(path)
    for own in columns.values():
        if found[own].is_nested() or found[own] == pl.Object:
            raise FormatError(
                f"column {own!r} holds {found[own]}, expected text or numbers",
                remedy="write one value per row and column",
                where=str(path),
            )
    schema = {name: (types or {}).get(name, pl.String()) for name in columns}
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            footer = _Footer.read(stream, set(columns.values()))
            _check_declared(path, footer, size, schema if whole else {})
            stream.seek(0)
            n_text = 0
            text = [as_text(own, found[own]).alias(name) for name, own in columns.items()]
            source = pl.scan_parquet(stream, glob=False, hive_partitioning=False)
            for batch in source.select(text).collect_batches(
                chunk_size=_BATCH, maintain_order=True
            ):
                n_text += sum(batch.select(pl.all().str.len_bytes().sum()).row(0))
                if n_text > max(MAX_TEXT, TEXT_PER_BYTE * size):
                    raise _too_much(path, size, f"more than {n_text:,} bytes of text")
                yield batch.cast(schema)  # type: ignore[arg-type]
    except _FAILURES as error:
        raise _unreadable(path, error) from None


def join_parquet(files: Sequence[Path], out: Path) -> int:
    """Write the rows of some files of equal columns into one, and return how many there are.

    Raises
    ------
    MissingFile, NotAFile, FormatError
        A file is not Parquet.
    """
    # Handed over as bytes: for Polars a path may be a pattern, and must be UTF-8.
    contents: list[bytes] = [check_file(file).read_bytes() for file in files]
    try:
        with out.open("wb") as stream:
            pl.scan_parquet(contents, hive_partitioning=False).sink_parquet(stream)
        with out.open("rb") as stream:
            return int(pl.scan_parquet(stream).select(pl.len()).collect().item())
    except _FAILURES as error:
        raise _unreadable(out.parent, error) from None


def _check_declared(path: Path, footer: _Footer, size: int, schema: Mapping[str, Any]) -> None:
    if footer.rows * len(schema) > max(MAX_CELLS, CELLS_PER_BYTE * size):
        raise _too_much(path, size, f"{footer.rows:,} rows of {len(schema)} columns")
    if footer.unpacked > max(MAX_TEXT, TEXT_PER_BYTE * size):
        raise _too_much(path, size, f"{footer.unpacked:,} bytes")
    held = footer.rows * sum(16 if kind == pl.String else 4 for kind in schema.values())
    if held > memory_budget():
        raise FormatError(
            f"{footer.rows:,} rows, which take more than the {memory_budget():,} bytes that this "
            "machine can hold",
            remedy="give a part of it, or more memory",
            where=str(path),
        )


def _too_much(path: Path, size: int, what: str) -> FormatError:
    return FormatError(f"{size:,} bytes that unpack to {what}", remedy=_REMEDY, where=str(path))


def _unreadable(path: Path, error: BaseException) -> FormatError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return FormatError(
        f"not a readable Parquet file ({reason[:200]})",
        remedy="write it again, or give TSV or CSV",
        where=str(path),
    )


@dataclass(frozen=True)
class _Footer:
    """What a file says of some columns: their rows, and their bytes once they are unpacked.

    The header of every page is read as well, as it is what the decoder allocates by.
    """

    rows: int
    unpacked: int

    @classmethod
    def read(cls, stream: IO[bytes], columns: set[str]) -> _Footer:
        """Read the end of a file and its pages' headers; ValueError and the like if damaged."""
        end = stream.seek(0, os.SEEK_END)
        stream.seek(max(end - 8, 0))
        tail = stream.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length > min(end - 8, MAX_FOOTER):
            raise ValueError("no footer at its end")
        stream.seek(end - 8 - length)
        meta = _Thrift(stream.read(length)).struct()
        rows = unpacked = 0
        for group in meta.get(4, []):
            rows += group[3]
            for chunk in group[1]:
                column = chunk[3]
                if len(column[3]) == 1 and column[3][0].decode("utf-8", "replace") in columns:
                    if column[5] != group[3] or group[3] < 0:
                        raise ValueError("a column of another length than its rows")
                    unpacked += _unpacked(stream, column, end)
        if rows != meta[3]:
            raise ValueError("another number of rows than its groups hold")
        return cls(rows, unpacked)


def _unpacked(stream: IO[bytes], column: dict[int, Any], end: int) -> int:
    """Add up what the pages of a column say they unpack to."""
    at = min(offset for offset in (column[9], column.get(11, 0) or column[9]))
    stop, values, total = at + column[7], 0, 0
    while values < column[5]:
        if not 0 < at < stop <= end:
            raise ValueError("pages that exceed the file")
        stream.seek(at)
        thrift = _Thrift(stream.read(_PAGE_HEADER))
        page = thrift.struct()
        if page[2] < 0 or page[3] < 0:
            raise ValueError("a page of negative size")
        total += page[2]
        at += thrift.at + page[3]
        data = page.get(5) or page.get(8)
        values += data[1] if data else 0
        if at > stop or (data and not 0 <= data[1] <= column[5]):
            raise ValueError("a page that exceeds its column")
        if not data and (kept := page.get(7)) and not 0 <= kept[1] <= page[2]:
            raise ValueError("a dictionary of more words than bytes")
    return total


class _Thrift:
    """Thrift's compact protocol, in which the footer is written: structs as dicts by field id."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def integer(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self.data[self.at]:
            self.at += 1
            number = number + (head >> 4) if head >> 4 else self.integer()
            fields[number] = self.value(head & 0x0F, depth + 1)
        self.at += 1
        return fields

    def value(self, kind: int, depth: int) -> Any:
        if depth > 16:
            raise ValueError("nested too deeply")
        if kind in (1, 2):
            return kind == 1
        if kind in (4, 5, 6):
            return self.integer()
        if kind == 12:
            return self.struct(depth)
        if kind in (9, 10):
            head = self.data[self.at]
            self.at += 1
            size = self.varint() if head >> 4 == 15 else head >> 4
            if size > len(self.data):
                raise ValueError("a list longer than the footer")
            element = head & 0x0F
            if element in (1, 2):  # in a list a truth value takes a byte
                self.at += size
                return [None] * size
            return [self.value(element, depth + 1) for _ in range(size)]
        size = {3: 1, 7: 8}.get(kind) or (self.varint() if kind == 8 else -1)
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("a field of an unknown kind, or one that does not end")
        self.at += size
        return self.data[self.at - size : self.at]
