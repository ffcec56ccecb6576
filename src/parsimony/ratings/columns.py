"""Which columns of a table hold user, item and rating: by name, role, number or position."""

from __future__ import annotations

import os
from collections.abc import Sequence

import polars as pl

from parsimony.decoding.look import Look, Reading
from parsimony.decoding.tables import Table
from parsimony.errors import EmptySplit, FormatError, suggest

__all__ = ["COLUMNS", "read_columns", "reading"]

COLUMNS = ("user", "item", "rating")


def reading(look: Look) -> Reading | None:
    """How a table is read as ratings; None if it cannot be.

    By name where the header has words for user, item and rating, or for the first two and one
    column of numbers besides. Else the first three columns, where the third holds numbers, a fourth
    at most a time, and no two rows are of the same user and item.
    """
    if found := look.named(*COLUMNS):
        return Reading(found, True)
    if pair := look.named("user", "item"):
        rest = [i for i in range(look.width) if i not in pair and look.named("time") != (i,)]
        if len(rest) == 1 and look.holds_numbers(rest[0]):
            return Reading((*pair, rest[0]), True)
        return None
    if look.width not in (3, 4) or not all(map(look.holds_numbers, range(2, look.width))):
        return None
    pairs = pl.DataFrame([look.column(i).alias(str(i)) for i in (0, 1)])
    several = pairs["0"].n_unique() < len(pairs)
    return Reading((0, 1, 2), False) if several and pairs.is_unique().all() else None


def read_columns(
    path: str | os.PathLike[str],
    wanted: Sequence[str] | None = None,
    *,
    empty: bool = False,
    notes: list[str] | None = None,
) -> Table:
    """Read columns of a CSV, TSV or Parquet file, as :func:`parsimony.decoding.tables.read_table`.

    Parameters
    ----------
    path
    wanted
        Header names, roles or numbers (from 1), which name the columns of the frame; by default
        ``COLUMNS``, as :func:`reading` finds them.
    empty
        Whether a table without rows is accepted.
    notes
        Receives which columns were read where they were not named.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    FormatError
        A column is missing, or not only one is meant.
    EmptySplit
        No row.
    """
    names = wanted or COLUMNS
    look = Look.at(path)
    # Of names that were asked for, one in the first row makes it a header.
    here = [name for name in wanted or () if name.strip().lower() in look.lowered]
    look = look.knowing(here or names)
    found = reading(look) if wanted is None and look.first else None
    places = _places(look, names) if found is None else found.columns
    if found is not None and notes is not None:
        own = look.names(places)
        more = "" if own == ", ".join(COLUMNS) else f" as {', '.join(COLUMNS)}"
        notes.append(f"read as a table of ratings: {own}{more}; --task link reads it as facts")
    cells = {n: look.column(i).str.strip_chars(' "') for n, i in zip(names, places, strict=True)}
    table = Table(look.path, look.header or look.first, pl.DataFrame(cells), look.rows)
    if not len(table) and not empty:
        raise EmptySplit("no row of ratings", remedy="give at least one", where=str(path))
    return table


def _places(look: Look, wanted: Sequence[str]) -> tuple[int, ...]:
    """Positions of columns by name, role or number."""
    if not look.first:
        raise EmptySplit("the file is empty", remedy="give ratings", where=str(look.path))
    places = [look.find(name) for name in wanted]
    for name, place in zip(wanted, places, strict=True):
        if place is None:
            raise FormatError(
                f"no column {name!r}",
                remedy=suggest(name, look.first)
                or f"name user, item and rating by --columns; found: {', '.join(look.first[:12])}",
                where=str(look.path),
            )
    return tuple(place for place in places if place is not None)
