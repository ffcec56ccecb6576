"""Tables as text, row by row: exact about quotes, lines and UTF-8, at the speed of Python.

The dialect is that of RFC 4180 and of Python's :mod:`csv`: a cell that begins with a double quote
ends with one, and has its quotes doubled. A quote inside a cell that does not begin with one is
tolerated only in a column that nobody reads (:attr:`Row.stray`). The fast reader
(:mod:`parsimony.decoding.tables`) is held to this one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from parsimony.decoding.magic import refuse_foreign
from parsimony.decoding.packed import opened
from parsimony.errors import DataError, EncodingError, FormatError

__all__ = ["MAX_LINE", "Row", "TextTable", "first_line", "numbered_lines", "shorten"]

# Of a line, a row and therefore a name, in bytes. A longer line is of a file of another kind.
MAX_LINE = 1 << 20
_NAMES = {"\t": "tabs", " ": "single spaces", ",": "commas", ";": "semicolons"}


def shorten(text: str, limit: int = 60) -> str:
    """Return ``repr(text)``, truncated if it is long."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}… ({len(text):,} characters)"


def numbered_lines(
    stream: IO[bytes], where: str, before: int = 0
) -> Iterator[tuple[int, str, str]]:
    """Yield number, text and end (none, LF or CRLF) of every line.

    Parameters
    ----------
    stream : binary stream
        At its beginning; a byte order mark is skipped.
    where : str
        The file's name, for errors.
    before : int
        Lines of the file in front of the stream.

    Raises
    ------
    EncodingError
        A line is not UTF-8.
    FormatError
        A line is longer than ``MAX_LINE``, or holds a NUL.
    """
    number = before
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if number == 1:
            refuse_foreign(line[:512], where)
        if len(line) > MAX_LINE:
            size = len(line)
            while not line.endswith(b"\n") and (line := stream.readline(MAX_LINE)):
                size += len(line)
            raise FormatError(
                f"a line of {size:,} bytes, expected at most {MAX_LINE:,}",
                remedy="check that this is a table, one row per line",
                where=f"{where}:{number}",
            )
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if b"\0" in line:
                raise FormatError(
                    "binary data, expected text", remedy="save it as text in UTF-8", where=where
                ) from None
            raise EncodingError(
                f"byte 0x{line[error.start]:02x} is not UTF-8",
                remedy="convert the file, e.g. iconv -f latin1 -t utf-8",
                where=f"{where}:{number}",
            ) from None
        if "\0" in text:
            raise FormatError(
                "a NUL character, which no text holds",
                remedy="save the file as text in UTF-8",
                where=f"{where}:{number}",
            )
        bare = text.removesuffix("\n")
        bare = bare.removesuffix("\r")
        yield number, bare, text[len(bare) :]


def first_line(path: str | os.PathLike[str]) -> tuple[int, str]:
    """Return number and text of the first line that is not blank; (0, "") if there is none.

    Raises
    ------
    EncodingError, FormatError
        As of :func:`numbered_lines`.
    """
    with opened(Path(path)) as stream:
        for number, text, _ in numbered_lines(stream, os.fspath(path)):
            if text:
                return number, text
    return 0, ""


class Row(NamedTuple):
    """A row: the line on which it begins, its cells, and which cells hold a stray quote."""

    line: int
    cells: list[str]
    stray: tuple[int, ...] = ()


@dataclass(frozen=True)
class TextTable:
    """Where the rows of a text file begin, and what they must look like.

    Attributes
    ----------
    path : Path
    separator : str
        One character.
    quoted : bool
        Whether a double quote at the beginning of a cell quotes it.
    width : int
        Cells in a row; 0 for any number.
    skip : int
        Lines in front of the first row: blank lines and the header.
    before : int
        Lines in front of the content, where a part of the file is read.
    wanted : tuple of int
        The columns that are read.
    filled : bool
        Whether a wanted cell must not be empty.
    expected : str
        What a row holds, for messages.
    """

    path: Path
    separator: str = "\t"
    quoted: bool = False
    width: int = 0
    skip: int = 0
    before: int = 0
    wanted: tuple[int, ...] = ()
    filled: bool = False
    expected: str = ""
    remedies: tuple[str, str] = field(default=("correct the line", "complete or remove the line"))

    def rows(self, stream: IO[bytes] | None = None) -> Iterator[Row]:
        """Yield every row, and a row without cells for a blank line.

        Parameters
        ----------
        stream : binary stream, optional
            The file's content; opened where it is not given.

        Raises
        ------
        EncodingError, FormatError
            A line is not text, or its quotes do not close; ``where`` names the line.
        """
        with stream or opened(self.path) as content:
            lines = numbered_lines(content, os.fspath(self.path), self.before)
            for number, text, end in lines:
                if number <= self.skip:
                    continue
                if "\r" in text and not (self.quoted and '"' in text):
                    raise self._error(
                        number,
                        "a carriage return inside a line",
                        "save the file with line ends LF or CRLF",
                    )
                if not text:
                    yield Row(number, [])
                elif self.quoted and '"' in text:
                    yield self._unquoted(number, text, end, lines)
                else:
                    yield Row(number, text.split(self.separator))

    def header(self) -> tuple[int, list[str]]:
        """Return the number of lines up to the first row's end, and its cells; (0, []) if none."""
        with opened(self.path) as stream:
            for row in self.rows(stream):
                if row.cells:
                    breaks = sum(cell.count("\n") for cell in row.cells)
                    return row.line + breaks, row.cells
        return 0, []

    def problem(self, row: Row) -> tuple[str, str] | None:
        """Return message and remedy if a row is not as expected, else None."""
        cells, expected = row.cells, f" ({self.expected})" if self.expected else ""
        if self.width and len(cells) != self.width:
            what = f"{len(cells)} column{'s' * (len(cells) != 1)}"
            return (
                f"{what}, expected {self.width}{expected} separated by {_NAMES[self.separator]}: "
                f"{shorten(self.separator.join(cells))}",
                self.remedies[0],
            )
        for i in self.wanted:
            if i in row.stray:
                return (
                    f"a stray quote in {shorten(cells[i])}",
                    "double every quote inside the cell and put the cell in quotes",
                )
        if self.filled and any(not cells[i] for i in self.wanted):
            return (
                f"an empty field{f', expected {self.expected}' if self.expected else ''}: "
                f"{shorten(' | '.join(cells))}",
                self.remedies[1],
            )
        return None

    def checked_rows(self, stream: IO[bytes] | None = None) -> Iterator[Row]:
        """Yield the rows that are not blank.

        Raises
        ------
        EncodingError, FormatError
            As of :meth:`rows`, or a row is not as expected.
        """
        for row in self.rows(stream):
            if row.cells:
                if (found := self.problem(row)) is not None:
                    raise self._error(row.line, *found)
                yield row

    def explain(self, reason: str, data: bytes | None = None) -> DataError:
        """Return the error of the first wrong row.

        Parameters
        ----------
        reason : str
            What the fast reader said; used if no row is wrong.
        data : bytes, optional
            The file's content, where it has been read already.
        """
        try:
            for _ in self.checked_rows(None if data is None else io.BytesIO(data)):
                pass
        except DataError as error:
            return error
        return FormatError(
            f"cannot be read as a table: {reason}",
            remedy="write it again as TSV, CSV in UTF-8 or Parquet",
            where=os.fspath(self.path),
        )

    def _unquoted(
        self, number: int, text: str, end: str, lines: Iterator[tuple[int, str, str]]
    ) -> Row:
        """Split a line that holds quotes, and those that a quoted cell goes on to."""
        first, size, position = number, len(text), 0
        cells: list[str] = []
        stray: list[int] = []
        while True:
            if text.startswith('"', position):
                opened, parts, at = number, [], position + 1
                while True:
                    close = text.find('"', at)
                    if close < 0:  # the cell goes on in the next line
                        parts.append(text[at:] + end)
                        number, text, end = next(lines, (0, "", ""))
                        size += len(text) + 1
                        at = 0
                        if not number or size > MAX_LINE:
                            raise self._error(
                                opened,
                                "a quote opens here and is not closed",
                                "close it, or double every quote inside a cell and put the cell in "
                                "quotes",
                            )
                    elif text.startswith('"', close + 1):
                        parts.append(text[at : close + 1])
                        at = close + 2
                    else:
                        parts.append(text[at:close])
                        position = close + 1
                        break
                cells.append("".join(parts))
                if number > opened and self._swallows(cells[-1]):
                    raise self._error(
                        opened,
                        f"a quote opens here and closes in line {number}, around lines that look "
                        "like rows",
                        "double every quote inside a cell and put the cell in quotes",
                    )
                if position < len(text) and text[position] != self.separator:
                    raise self._error(
                        opened,
                        f"text after the closing quote of a cell: {shorten(text[position:])}"
                        + (f" in line {number}" if number != opened else ""),
                        "double every quote inside the cell and put the cell in quotes",
                    )
            else:
                close = text.find(self.separator, position)
                cell = text[position : len(text) if close < 0 else close]
                if '"' in cell:
                    stray.append(len(cells))
                if "\r" in cell:
                    raise self._error(
                        number,
                        "a carriage return inside a line",
                        "save the file with line ends LF or CRLF",
                    )
                cells.append(cell)
                position += len(cell)
            if position >= len(text):
                return Row(first, cells, tuple(stray))
            position += 1  # the separator; a cell follows, if only an empty one
            if position == len(text):
                cells.append("")
                return Row(first, cells, tuple(stray))

    def _swallows(self, cell: str) -> bool:
        """Whether a cell of several lines holds what are rows themselves, three or more."""
        inner = cell.split("\n")[1:-1]
        row = self.width - 1
        return len(inner) >= 3 and row >= 2 and all(t.count(self.separator) == row for t in inner)

    def _error(self, line: int, message: str, remedy: str) -> FormatError:
        return FormatError(message, remedy=remedy, where=f"{self.path}:{line}")
