"""A first look at a table, before it is known what it holds: its header, its cells as text.

Byte order mark, line ends, separators and quotes are gone here, and a Parquet file looks like the
CSV of the same rows: whatever is decided by a look does not depend on how the table was written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from parsimony.decoding.columns import ROLES, is_header, named_columns
from parsimony.decoding.files import check_file
from parsimony.decoding.lines import TextTable, numbered_lines
from parsimony.decoding.packed import bare, opened
from parsimony.decoding.parquet import PARQUET, parquet_schema, read_parquet
from parsimony.decoding.tables import read_cells

__all__ = ["SUFFIXES", "Look", "Reading", "is_number", "layout"]

#: of files that are tables, and need not say so by another name
SUFFIXES = (".txt", ".tsv", ".csv", ".parquet", ".pq")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FEW = 3  # rows below which counts say nothing


def is_number(text: str) -> bool:
    """Return whether a cell is a finite number."""
    return _NUMBER.fullmatch(text.strip(' "')) is not None


def layout(path: Path) -> tuple[TextTable, int | None]:
    """Return the separator and quoting of a text file, and the number of rows if it gives that.

    ``.csv``: commas, or else semicolons, or tabs, with quotes. Anything else: tabs, or else single
    spaces, or else commas or semicolons with quotes. A first line that is one whole number in
    front of longer ones counts the rows (OpenKE).
    """
    lines = _first_lines(path, 2)
    count, skip = None, 0
    if len(lines) == 2 and re.fullmatch("[0-9]+", lines[0][1]) and _separator(lines[1][1], "\t ,;"):
        (skip, number), lines = lines[0], lines[1:]
        count = int(number[:18])
    start = lines[0][1] if lines else ""
    if bare(path).suffix.lower() == ".csv":
        return TextTable(path, _separator(re.sub(r'"[^"]*"', "", start), ",;\t") or ",", True,
                         skip=skip), count  # fmt: skip
    found = _separator(start, "\t ,;") or " "
    return TextTable(path, found, found in ",;", skip=skip), count


def _separator(line: str, order: str) -> str:
    return next((each for each in order if each in line), "")


def _first_lines(path: Path, n: int) -> list[tuple[int, str]]:
    """Return number and text of the first lines that are not blank."""
    with opened(path) as stream:
        filled = ((number, text) for number, text, _ in numbered_lines(stream, str(path)) if text)
        return list(islice(filled, n))


class Reading(NamedTuple):
    """How a kind of problem takes a table.

    Attributes
    ----------
    columns : tuple of int
        The positions of its columns, in its order.
    named : bool
        Whether their names say so; else it is one of the ways in which the table can be read.
    """

    columns: tuple[int, ...]
    named: bool


@dataclass(frozen=True, eq=False)
class Look:
    """A table of unknown meaning.

    Attributes
    ----------
    path : Path
    first : tuple of str
        The first row, or the column names of a Parquet file.
    text : TextTable, optional
        The layout of a text file, the first row in it; None for Parquet.
    count : int, optional
        The number of rows that a line in front of them gives.
    headed : bool
        Whether the first row is known to be a header; else :attr:`header` decides.
    """

    path: Path
    first: tuple[str, ...]
    text: TextTable | None = None
    count: int | None = None
    headed: bool = False

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Look:
        """Look at a CSV, TSV, space separated or Parquet file.

        Raises
        ------
        MissingFile, NotAFile, EncodingError, FormatError
        """
        path = check_file(path)
        if path.suffix.lower() in PARQUET:
            return cls(path, tuple(parquet_schema(path)))
        text, count = layout(path)
        _, first = text.header()
        return cls(path, tuple(first), replace(text, width=len(first)), count)

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.first)

    @property
    def lowered(self) -> list[str]:
        """The first row without case and white space around its cells."""
        return [cell.strip().lower() for cell in self.first]

    @property
    def optional(self) -> bool:
        """Whether it is of a format that usually has no header: text that is not CSV."""
        return self.text is not None and bare(self.path).suffix.lower() != ".csv"

    @cached_property
    def header(self) -> tuple[str, ...] | None:
        """The names of the columns, or None where the first row is data.

        A first row is a header if its words are known ones (:func:`is_header`) and none of them is
        in its column again, or if a column holds numbers below and none there.
        """
        if self.text is None or self.headed:
            return self.first
        if is_header(self.first, letters=not self.optional) and not (
            self.optional
            and any((self._below(i) == name).any() for i, name in enumerate(self.first))
        ):
            return self.first
        second = self._second
        for i, cell in enumerate(self.first):
            if second and not is_number(cell) and is_number(second[i]):
                below = self._below(i)
                if len(below) >= _FEW and numeric(below):
                    return self.first
        return None

    def column(self, position: int) -> pl.Series:
        """Return the cells of a column as text, without the header."""
        below = self._below(position)
        if self.text is None or self.header is not None:
            return below
        return pl.concat([pl.Series([self.first[position]], dtype=pl.String), below])

    def holds_numbers(self, position: int) -> bool:
        """Return whether all cells of a column are finite numbers; one of the first often tells."""
        early = [] if self.header is not None else [self.first[position]]
        if self.text is not None and self._second:
            early.append(self._second[position])
        return all(map(is_number, early)) and numeric(self.column(position))

    def knowing(self, names: Sequence[str]) -> Look:
        """Return the look of somebody who knows some column names: a row of them is a header.

        Numbers are no names of columns: :meth:`find` counts them.
        """
        known = {name.strip().lower() for name in names if not name.isdecimal()}
        return replace(self, headed=True) if known and known <= {*self.lowered} else self

    def find(self, name: str) -> int | None:
        """Return the position of a column: by its name, its role, or its number from 1.

        None if there is no such column, or more than one.
        """
        if name.isdecimal():
            return int(name) - 1 if len(name) < 6 and 1 <= int(name) <= self.width else None
        if self.header is not None:
            if self.lowered.count(name.strip().lower()) == 1:
                return self.lowered.index(name.strip().lower())
            if name in ROLES and (found := self.named(name)):
                return found[0]
        return None

    def names(self, positions: Sequence[int]) -> str:
        """Return columns as a message lists them."""
        if self.header is None:
            return "columns " + ", ".join(str(i + 1) for i in positions)
        return ", ".join(self.header[i] for i in positions)

    @property
    def rows(self) -> TextTable | None:
        """The layout of the rows of data of a text file, its header skipped."""
        if self.text is None or self.header is None:
            return self.text
        return replace(self.text, skip=self.text.header()[0])

    def named(self, *roles: str) -> tuple[int, ...] | None:
        """Return the positions of the columns of these roles, by the header."""
        if self.header is None:
            return None
        return named_columns(self.header, roles, letters=not self.optional)

    @cached_property
    def _second(self) -> list[str]:
        """The second row; [] if there is none or it is of another width."""
        assert self.text is not None
        with opened(self.path) as stream:
            rows = [row.cells for row in islice((r for r in self.text.rows(stream) if r.cells), 2)]
        return rows[1] if len(rows) == 2 and len(rows[1]) == self.width else []

    def _below(self, position: int) -> pl.Series:
        """The cells of a column below the first row; columns that nobody asks for are not read."""
        if position not in self._read:
            if self.text is None:
                frame = read_parquet(self.path, {"cell": self.first[position]}).fill_null("")
            else:
                behind = replace(self.text, skip=self.text.header()[0])
                frame = read_cells(behind, {"cell": position})
            self._read[position] = frame["cell"]
        return self._read[position]

    @cached_property
    def _read(self) -> dict[int, pl.Series]:
        return {}


def numeric(column: pl.Series) -> bool:
    """Return whether all cells of a column are finite numbers."""
    return bool(column.str.strip_chars(' "').str.contains(f"^(?:{_NUMBER.pattern})$").all())
