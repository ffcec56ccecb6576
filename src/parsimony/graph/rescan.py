"""The slow second pass over a file, which finds the invalid line.

It runs only after the fast reader has failed, or to find the line of an unknown name.
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from parsimony.errors import DataError, EncodingError, FormatError

__all__ = [
    "MAX_LINE",
    "CsvLines",
    "Lines",
    "TextLines",
    "explain_failure",
    "find_long_line",
    "first_line",
    "shorten",
]

# A line of three names is never longer; a file with such a line is of another kind.
MAX_LINE = 1 << 20
_BLOCK = 1 << 19


def shorten(text: str, limit: int = 60) -> str:
    """Return ``repr(text)``, truncated if it is long."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}… ({len(text):,} characters)"


def first_line(path: Path) -> tuple[int, str]:
    """Return number and text of the first line that is not blank; (0, "") if there is none."""
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE):
            number += 1
            text = line.decode("utf-8-sig", "replace").rstrip("\r\n")
            if text:
                return number, text
    return 0, ""


def find_long_line(path: Path) -> bool:
    """Return whether some line is longer than ``MAX_LINE``, reading in blocks at disk speed."""
    if path.stat().st_size <= MAX_LINE:
        return False
    with path.open("rb") as stream:
        # A line longer than two blocks covers one whole block without a line end.
        while block := stream.read(_BLOCK):
            if len(block) == _BLOCK and b"\n" not in block:
                return True
    return False


class Lines(ABC):
    """A text file read line by line.

    Parameters
    ----------
    path : Path
    positions : list of int, optional
        Columns of head, relation and tail; None for the first three.
    width : int
        Number of columns in a row.
    header_line : int
        Line number of the header; 0 without a header.
    """

    separator = "\t"
    expected = "head, relation and tail"

    def __init__(
        self, path: Path, positions: list[int] | None, width: int, header_line: int
    ) -> None:
        self.path = path
        self.positions = positions
        self.width = width
        self.header_line = header_line

    @abstractmethod
    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line numbers (from 1) and fields, an empty list for a blank line.

        Raises
        ------
        EncodingError, FormatError
            A line is not UTF-8 or too long.
        """

    def problem(self, fields: list[str]) -> tuple[str, str] | None:
        """Return message and remedy if these fields are not a triple, else None."""
        if len(fields) != self.width:
            names = {"\t": "tabs", " ": "single spaces", ",": "commas"}[self.separator]
            what = f"{len(fields)} column{'s' * (len(fields) != 1)}"
            return (
                f"{what}, expected {self.width} ({self.expected}) separated by {names}: "
                f"{shorten(self.separator.join(fields))}",
                "correct the line",
            )
        if any(not fields[i] for i in self.positions or (0, 1, 2)):
            return (
                f"an empty field, expected {self.expected}: {shorten(' | '.join(fields))}",
                "complete or remove the line",
            )
        return None

    def triples(self) -> Iterator[tuple[int, tuple[str, str, str]]]:
        """Yield line numbers and names of the well-formed rows."""
        head, relation, tail = self.positions or (0, 1, 2)
        for number, fields in self.rows():
            if fields and self.problem(fields) is None:
                yield number, (fields[head], fields[relation], fields[tail])

    def decoded(self) -> Iterator[tuple[int, str]]:
        """Yield line numbers and the decoded lines without their ends."""
        with self.path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    size = len(line)
                    while not line.endswith(b"\n") and (line := stream.readline(MAX_LINE)):
                        size += len(line)
                    raise FormatError(
                        f"a line of {size:,} bytes, expected {self.expected} in at most "
                        f"{MAX_LINE:,}",
                        remedy="check that this is a file of triples, one per line",
                        where=f"{self.path}:{number}",
                    )
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise EncodingError(
                        f"byte 0x{line[error.start]:02x} is not UTF-8",
                        remedy="convert the file, e.g. iconv -f latin1 -t utf-8",
                        where=f"{self.path}:{number}",
                    ) from None
                yield number, text.rstrip("\n").removesuffix("\r")


class TextLines(Lines):
    """Lines of fields separated by tabs or single spaces, without quoting."""

    def __init__(
        self,
        path: Path,
        separator: str,
        positions: list[int] | None,
        width: int,
        header_line: int,
    ) -> None:
        super().__init__(path, positions, width, header_line)
        self.separator = separator

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line numbers and fields."""
        for number, text in self.decoded():
            if number > self.header_line:
                yield number, text.split(self.separator) if text else []


class CsvLines(Lines):
    """Comma-separated lines with double quotes."""

    separator = ","

    @staticmethod
    def split(*lines: str) -> Iterator[list[str]]:
        """Split lines into fields."""
        return csv.reader(lines)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line numbers and fields; a quoted field may span lines."""
        reader = csv.reader(text + "\n" for _, text in self.decoded())
        start = 1
        try:
            for fields in reader:
                if start > self.header_line:
                    yield start, fields
                start = reader.line_num + 1
        except csv.Error as error:
            raise FormatError(
                f"not a CSV row ({error})",
                remedy="check the quotes",
                where=f"{self.path}:{start}",
            ) from None


def explain_failure(lines: Lines, reason: str) -> DataError:
    """Return the error for the first invalid line.

    Parameters
    ----------
    lines : Lines
        The file.
    reason : str
        Message of the fast reader; used if no line is invalid.
    """
    try:
        for number, fields in lines.rows():
            if fields and (problem := lines.problem(fields)) is not None:
                message, remedy = problem
                return FormatError(message, remedy=remedy, where=f"{lines.path}:{number}")
    except DataError as error:
        return error
    return FormatError(
        f"cannot be read as triples: {reason}",
        remedy="give one head, relation, tail per line, separated by tabs",
        where=str(lines.path),
    )
