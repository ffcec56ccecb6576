"""Tables from outside, as columns of text: CSV, TSV, space separated, Parquet.

This is the only place that calls the readers of Polars. A path is handed over as the bytes behind
it, never as a string, so that no character of a name is a pattern. Text is parsed by Polars where
one linear pass over its bytes has shown that quotes and widths leave no choice, else by
:mod:`parsimony.decoding.lines`, which reads exactly and knows the line of everything it refuses.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.decoding.files import check_file, memory_budget
from parsimony.decoding.lines import MAX_LINE, TextTable, shorten
from parsimony.decoding.packed import opened
from parsimony.decoding.parquet import PARQUET, parquet_schema, read_parquet
from parsimony.errors import EmptySplit, FormatError, MissingFile, suggest

__all__ = ["Table", "parse_cells", "read_cells", "read_table"]

_QUOTE, _NEWLINE, _RETURN = b'"'[0], b"\n"[0], b"\r"[0]
_MARK = b"\xef\xbb\xbf"
_BLOCK = 1 << 24
_LONG = MAX_LINE // 2  # a longer line than MAX_LINE covers one such block without a line end
_ROWS = 1 << 16
_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


@dataclass(frozen=True, eq=False)
class Table:
    """The columns that were asked for, every cell as text, "" where it is empty.

    Attributes
    ----------
    path : Path
    columns : tuple of str
        The whole header, as written.
    frame : polars.DataFrame
        String columns without nulls, one row per row of the file, blank lines left out.
    text : TextTable, optional
        The layout of a text file; None for Parquet.
    """

    path: Path
    columns: tuple[str, ...]
    frame: pl.DataFrame
    text: TextTable | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        return self.frame[name].to_list()

    def line(self, row: int) -> int:
        """Return the line on which a row (from 0) begins; for Parquet the row's number, from 1."""
        return row + 1 if self.text is None else self._lines[row]

    def where(self, row: int) -> str:
        """Return ``file:line`` of a row (from 0)."""
        return f"{self.path}:{self.line(row)}"

    @cached_property
    def _lines(self) -> list[int]:
        assert self.text is not None
        found = [row.line for row in self.text.rows() if row.cells]
        # Of a file that was changed in between the line is not known.
        return found if len(found) == len(self) else [0] * len(self)


def read_table(
    path: str | os.PathLike[str],
    needed: Sequence[str] = (),
    *,
    only: Sequence[str] | None = None,
    separator: str | None = None,
    quoted: bool = True,
    empty: bool = False,
) -> Table:
    """Read a table with a header; the format follows from the suffix.

    Parameters
    ----------
    path : path
        ``.parquet`` and ``.pq``; ``.tsv`` and ``.txt`` are separated by tabs, all else by commas.
    needed : sequence of str
        Columns that it must have, whatever their case and the white space around them; they are
        named like this in the frame.
    only : sequence of str, optional
        Read the needed columns and of the others these alone, where there are any. All by default.
    separator : str, optional
        Of a text file, whatever its suffix.
    quoted : bool
        Whether a double quote at the beginning of a cell quotes it.
    empty : bool
        Whether a table without rows is accepted.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    FormatError
        Not such a table, a column missing or twice; ``where`` names the line.
    EmptySplit
        No row.
    """
    path = check_file(path)
    if path.suffix.lower() in PARQUET:
        text, header = None, list(parquet_schema(path))
    else:
        separator = separator or ("\t" if path.suffix.lower() in (".tsv", ".txt") else ",")
        line, header = TextTable(path, separator, quoted).header()
        text = TextTable(path, separator, quoted, len(header), line)
        if not header:
            raise EmptySplit(
                "the file is empty",
                remedy=f"give it the columns {', '.join(needed)}" if needed else "fill it",
                where=str(path),
            )
    chosen = _choose(path, header, needed, only)
    if text is None:
        frame = read_parquet(path, {name: header[i] for name, i in chosen.items()}).fill_null("")
    else:
        frame = read_cells(text, chosen)
    if not len(frame) and not empty:
        raise EmptySplit("no row below the header", remedy="fill it", where=str(path))
    return Table(path, tuple(header), frame, text)


def _choose(
    path: Path, header: list[str], needed: Sequence[str], only: Sequence[str] | None
) -> dict[str, int]:
    """Return name and position of the columns to read, in the order of the file."""
    lowered = [name.strip().lower() for name in header]
    where = f"{path}:1"
    positions: dict[int, str] = {}
    for name in needed:
        # A column of exactly that name comes before one that differs in case.
        exact = [i for i, own in enumerate(header) if own == name]
        found = exact or [i for i, own in enumerate(lowered) if own == name.strip().lower()]
        if not found:
            shown = ", ".join(map(shorten, header[:8])) + (", …" if len(header) > 8 else "")
            raise FormatError(
                f"no column {name!r} in {shown}",
                remedy=suggest(name, header) or f"name a column {name!r}",
                where=where,
            )
        if len(found) > 1:
            raise FormatError(f"column {name!r} twice", remedy="rename one of them", where=where)
        positions[found[0]] = name
    others = None if only is None else {name.strip().lower() for name in only}
    for i, name in enumerate(header):
        if i not in positions and (others is None or lowered[i] in others):
            if name in positions.values():
                raise FormatError(
                    f"column {name!r} twice", remedy="rename one of them", where=where
                )
            positions[i] = name
    return {positions[i]: i for i in sorted(positions)}


def read_cells(
    table: TextTable,
    columns: Mapping[str, int],
    types: Mapping[str, pl.DataType] | None = None,
) -> pl.DataFrame:
    """Read columns of a text file.

    Parameters
    ----------
    table : TextTable
        Separator, quoting, width and the lines to skip.
    columns : mapping of str to int
        Name and position of every column to read.
    types : mapping of str to polars.DataType, optional
        Categorical columns; String by default.

    Returns
    -------
    polars.DataFrame
        Blank lines are left out; an empty cell is "" (in ``table.filled`` tables there is none).

    Raises
    ------
    MissingFile, NotAFile
    EncodingError, FormatError
        ``where`` names the first wrong line.
    """
    return parse_cells(table, columns, types, _content(table.path))


def parse_cells(
    table: TextTable,
    columns: Mapping[str, int],
    types: Mapping[str, pl.DataType] | None,
    data: bytes,
) -> pl.DataFrame:
    """Read columns as :func:`read_cells` does, of content that has been read already.

    Parameters
    ----------
    data : bytes
        Whole lines of the file, those behind its first ``table.before``.
    """
    table = replace(table, wanted=tuple(columns.values()))
    schema = {name: (types or {}).get(name, pl.String()) for name in columns}
    quotes = table.quoted and b'"' in data
    if _plain(data) and not (table.before and data.startswith(_MARK)):
        try:
            frame = _parse(table, columns, schema, data, quotes)
        except _FAILURES as error:
            raise table.explain(str(error).split("\n")[0][:200], data) from None
        if frame is not None:
            return frame
    return _parse_slowly(table, columns, schema, data)


def _parse(
    table: TextTable,
    columns: Mapping[str, int],
    schema: Mapping[str, pl.DataType],
    data: bytes,
    quotes: bool,
) -> pl.DataFrame | None:
    """Read by Polars; None where only the slow reader can tell what the rows are."""
    skip = max(table.skip - table.before, 0)
    start = _offset(data, skip)
    begun = np.frombuffer(data, np.uint8)[start:]
    survey = None
    if quotes or len(columns) < table.width:
        survey = _survey(begun, table, quotes)
        if survey is None:
            return None
    types: dict[str, pl.DataType] = {f"column_{i + 1}": pl.String() for i in range(table.width)}
    types |= {f"column_{i + 1}": schema[name] for name, i in columns.items()}
    frame = (
        pl.scan_csv(
            data,
            separator=table.separator,
            quote_char='"' if quotes else None,
            has_header=False,
            skip_lines=skip,
            schema=types,
            missing_columns="insert",
            raise_if_empty=False,
        )
        .select(**{name: pl.col(f"column_{i + 1}") for name, i in columns.items()})
        .collect()
    )
    if len(frame) != (survey.rows if survey else _n_lines(begun)):
        return None
    if any(frame.null_count().row(0)):
        survey = survey or _survey(begun, table, quotes)
        if survey is None:
            return None
        if len(survey.blank):
            kept = np.ones(len(frame), bool)
            kept[survey.blank] = False
            frame = frame.filter(pl.Series(kept))
        if table.filled and any(frame.null_count().row(0)):
            return None
        frame = frame.fill_null("") if not table.filled else frame
    if quotes and table.filled and frame.select(pl.any_horizontal((pl.all() == "").any())).item():
        return None
    return frame


def _parse_slowly(
    table: TextTable, columns: Mapping[str, int], schema: Mapping[str, pl.DataType], data: bytes
) -> pl.DataFrame:
    rows = table.checked_rows(io.BytesIO(data))
    frames = [pl.DataFrame(schema=dict(schema))]
    while chunk := list(islice(rows, _ROWS)):
        part = {
            name: pl.Series([row.cells[i] for row in chunk], dtype=pl.String)
            for name, i in columns.items()
        }
        frames.append(pl.DataFrame(part).cast(dict(schema)))  # type: ignore[arg-type]
    return pl.concat(frames)


@dataclass(frozen=True)
class _Survey:
    """A text whose every row has the right width: how many, and which are blank lines."""

    rows: int
    blank: npt.NDArray[np.int64]


def _survey(text: npt.NDArray[np.uint8], table: TextTable, quotes: bool) -> _Survey | None:
    """Check quotes and widths in one pass over the bytes; None if they leave a choice.

    Quotes leave none where every odd one opens a cell (or is the second of a doubled pair) and
    every even one closes it (or is the first of such a pair).
    """
    separator = ord(table.separator)
    rows, pending, inside, line_start = 0, 0, 0, 0
    blank: list[npt.NDArray[np.int64]] = []
    for begin in range(0, len(text), _BLOCK):
        block = text[begin : begin + _BLOCK]
        ends = block == _NEWLINE
        marks = ends | (block == separator)
        if quotes:
            quote = block == _QUOTE
            at = np.flatnonzero(quote) + begin
            opening = (np.arange(len(at)) + inside) % 2 == 0
            before = np.where(at > 0, text[at - 1], _NEWLINE)
            fine = (before == separator) | (before == _NEWLINE) | (before == _QUOTE)
            if not fine[opening].all():
                return None
            after = text[np.minimum(at + 1, len(text) - 1)]
            fine = (after == separator) | (after == _NEWLINE) | (after == _QUOTE)
            fine |= (after == _RETURN) | (at == len(text) - 1)
            if not fine[~opening].all():
                return None
            outside = ((np.cumsum(quote, dtype=np.uint8) + np.uint8(inside)) & 1) == 0
            if (ends & ~outside).any():  # a cell of several lines, or a stray quote around rows
                return None
            marks &= outside
            inside = (inside + len(at)) % 2
        at = np.flatnonzero(marks)
        closing = np.flatnonzero(ends[at])  # of the marks, those that end a line
        places = at[closing] + begin
        if len(closing):
            widths = np.diff(closing, prepend=-1)
            widths[0] += pending
            pending = len(at) - 1 - int(closing[-1])
            starts = np.concatenate([[line_start], places[:-1] + 1])
            lengths = places - starts
            line_start = int(places[-1]) + 1
            empty = lengths == 0
            empty |= (lengths == 1) & (text[starts] == _RETURN)
            if (widths[~empty] != table.width).any() or lengths.max() > MAX_LINE:
                return None
            blank.append(np.flatnonzero(empty) + rows)
            rows += len(closing)
        else:
            pending += len(at)
    if inside:
        return None
    if line_start < len(text):  # a last line without an end
        if pending + 1 != table.width or len(text) - line_start > MAX_LINE:
            return None
        rows += 1
    return _Survey(rows, np.concatenate([*blank, np.empty(0, np.int64)]))


def _n_lines(text: npt.NDArray[np.uint8]) -> int:
    """Count lines, with or without an end of the last."""
    blocks = range(0, len(text), _BLOCK)
    ended = sum(np.count_nonzero(text[b : b + _BLOCK] == _NEWLINE) for b in blocks)
    return int(ended) + int(len(text) > 0 and text[-1] != _NEWLINE)


def _plain(data: bytes) -> bool:
    """Whether a text has neither NUL, nor a carriage return of its own, nor a very long line."""
    if b"\0" in data or (b"\r" in data and data.count(b"\r") != data.count(b"\r\n")):
        return False
    starts = range(0, len(data) - _LONG, _LONG)
    return all(data.find(b"\n", start, start + _LONG) >= 0 for start in starts)


def _offset(data: bytes, lines: int) -> int:
    """Return where the line behind so many begins."""
    start = 3 if data.startswith(_MARK) else 0
    for _ in range(lines):
        start = data.find(b"\n", start) + 1 or len(data)
    return start


def _content(path: Path) -> bytes:
    """Return the whole file: what is checked and what is parsed must be the same."""
    path, limit = check_file(path), memory_budget()
    try:
        size = path.stat().st_size
        with opened(path) as stream:
            data = b"" if size > limit else stream.read(limit + 1)
    except OSError as error:
        raise MissingFile(
            f"cannot be read ({error.strerror or error})",
            remedy="check the disk and try again",
            where=str(path),
        ) from None
    if max(size, len(data)) > limit:
        raise FormatError(
            f"{size:,} bytes, of which this machine can hold {limit:,}",
            remedy="give a part of it, or more memory",
            where=str(path),
        )
    return data or b""
