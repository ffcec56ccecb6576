"""Reading triples from TSV, space-separated, CSV, Parquet and RDF files.

Tables are parsed by :mod:`parsimony.decoding.tables`, without a Python loop over lines, directly
into dictionary codes: a triple takes twelve bytes plus one copy of each distinct name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from parsimony.decoding.blocks import BLOCK, read_blocks
from parsimony.decoding.columns import is_header
from parsimony.decoding.files import check_file
from parsimony.decoding.lines import TextTable, shorten
from parsimony.decoding.look import Look, Reading
from parsimony.decoding.packed import bare
from parsimony.decoding.parquet import parquet_batches, parquet_rows, read_parquet
from parsimony.decoding.tables import read_cells
from parsimony.errors import FormatError, InvalidParameter, suggest
from parsimony.graph.names import COLUMNS, Names
from parsimony.graph.rdf import RDF_SUFFIXES, RdfLines, read_rdf
from parsimony.graph.rescan import Lines, TableLines

__all__ = ["fact_blocks", "fact_columns", "line_reader", "read_triples", "reading"]

#: Roles of the columns of facts, and those of other tables that can be read as facts.
_ROLES = (COLUMNS, ("user", "rating", "item"), ("drug1", "type", "drug2"))


def read_triples(
    path: str | os.PathLike[str],
    columns: tuple[str, str, str] | None = None,
    *,
    names: Names | None = None,
    notes: list[str] | None = None,
) -> pl.DataFrame:
    """Read a file of triples; the format follows from the suffix.

    Parameters
    ----------
    path : path
        ``.csv``, ``.parquet``, ``.nt``, ``.ttl``, ``.rdf``, ``.xml``, ``.owl``; anything else is
        text with tabs if its first line has one, else single spaces.
    columns : tuple of str, optional
        Header names, or numbers from 1, of head, relation and tail. Without it they are known by
        the words of a header (:mod:`parsimony.decoding.columns`), else the file must have exactly
        three columns.
    names : Names, optional
        Dictionaries shared with other files.
    notes : list of str, optional
        Receives a note on each kind of row that was left out, and on a header that is known only
        by the numbers below it.

    Returns
    -------
    polars.DataFrame
        Categorical columns ``head``, ``relation``, ``tail`` (they behave as strings); one row per
        triple, in file order, duplicates kept. RDF statements whose object is a literal are left
        out, because literals are not entities.

    Raises
    ------
    MissingFile, NotAFile, EncodingError, FormatError
        ``where`` gives the file and line.
    MissingExtra
        The file is RDF and pyoxigraph is not installed.
    """
    path = check_file(path)
    names = names or Names.new()
    _require_three(columns)
    if _is_rdf(path):
        return read_rdf(path, names, notes)
    look = Look.at(path)
    if not look.first:
        return pl.DataFrame(schema=names.schema())
    table, places = _table(look, columns)
    if table is None:
        frame = _read_parquet(look, places, names)
    else:
        frame = read_cells(table, dict(zip(COLUMNS, places, strict=True)), names.schema())
    if notes is not None:
        notes += _notes(look, len(frame), guessed=columns is None)
    return frame


def fact_blocks(
    path: str | os.PathLike[str],
    columns: tuple[str, str, str] | None,
    *,
    notes: list[str] | None = None,
    passed: Callable[[int], object] = int,
    size: int = BLOCK,
) -> Iterator[pl.DataFrame]:
    """Yield what :func:`read_triples` returns in parts, so that a file need not fit into memory.

    RDF is one part. The columns are strings, or behave so.

    Parameters
    ----------
    path, columns, notes
        As of :func:`read_triples`.
    size : int
        Bytes of text in a part, about.
    passed : callable
        Told now and then how many bytes of the file have been read.

    Raises
    ------
    MissingFile, NotAFile, EncodingError, FormatError, MissingExtra
        As of :func:`read_triples`.
    """
    path = check_file(path)
    _require_three(columns)
    if _is_rdf(path):
        yield read_rdf(path, Names.new(), notes)
        return
    look = Look.at(path)
    if not look.first:
        return
    table, places = _table(look, columns)
    n = 0
    if table is None:
        for frame, part in _parquet_blocks(look, places):
            n += len(frame)
            passed(part)
            yield frame
    else:
        chosen = dict(zip(COLUMNS, places, strict=True))
        for frame in read_blocks(table, chosen, size=size, passed=passed):
            n += len(frame)
            yield frame
    if notes is not None:
        notes += _notes(look, n, guessed=columns is None)


def _is_rdf(path: Path) -> bool:
    if path.suffix.lower() not in RDF_SUFFIXES and bare(path).suffix.lower() in RDF_SUFFIXES:
        raise FormatError(
            "packed RDF, which is read as it is only", remedy="unpack it first", where=str(path)
        )
    return path.suffix.lower() in RDF_SUFFIXES


def _require_three(columns: tuple[str, str, str] | None) -> None:
    if columns is not None and len(set(columns)) != 3:
        raise InvalidParameter(
            f"columns {tuple(columns)} must be three different names: head, relation, tail"
        )


def reading(look: Look) -> Reading | None:
    """How a table is read as facts, by the words of its header or as it stands; None if it cannot.

    Three columns are head, relation and tail where the third can be names.
    """
    if found := look.named(*COLUMNS):
        return Reading(found, True)
    for roles in _ROLES[1:]:
        if found := look.named(*roles):
            return Reading(found, False)
    return Reading((0, 1, 2), False) if look.width == 3 else None


def fact_columns(
    path: str | os.PathLike[str], columns: tuple[str, str, str] | None = None
) -> Reading | None:
    """Return the positions of head, relation and tail in a file, and whether they are certain.

    None for RDF, an empty file, or one that cannot be read as facts.
    """
    if _is_rdf(Path(path)):
        return None
    look = Look.at(path)
    if columns is not None and look.first:
        return Reading(_given(look.knowing(columns), columns), True)
    return reading(look)


def line_reader(path: Path, columns: tuple[str, str, str] | None = None) -> Lines:
    """Return the slow reader of a text file: separator, header and column positions resolved."""
    if _is_rdf(path):
        return RdfLines(path)
    table, _ = _table(Look.at(path), columns)
    assert table is not None
    return TableLines(table)


def _table(
    look: Look, columns: tuple[str, str, str] | None
) -> tuple[TextTable | None, tuple[int, ...]]:
    """Return the layout of a text file, its header skipped, and the positions of the columns."""
    if columns is not None:
        look = look.knowing(columns)
        places = _given(look, columns)
    elif (found := reading(look)) is not None:
        places = found.columns
    elif look.optional:
        places = (0, 1, 2)  # its first row is of the wrong width, which the reader says
    else:
        raise FormatError(
            f"{look.width} columns without a header of head, relation and tail: "
            f"{', '.join(map(shorten, look.first[:12]))}",
            remedy="map the columns, e.g. --columns subject,predicate,object",
            where=str(look.path) if look.text is None else f"{look.path}:{look.text.header()[0]}",
        )
    if look.text is None:
        return None, places
    headed = look.header is not None
    table = replace(
        look.text,
        width=look.width if columns is not None or headed else 3,
        skip=look.text.header()[0] if headed else look.text.skip,
        wanted=places,
        filled=True,
        expected="head, relation and tail",
    )
    return table, places


def _given(look: Look, columns: tuple[str, str, str]) -> tuple[int, ...]:
    """Return the positions of columns given by name or number."""
    header = list(look.first)
    for name in columns:
        if header.count(name) > 1:
            raise FormatError(
                f"column {name!r} twice", remedy="rename one of them", where=f"{look.path}:1"
            )
    if all(name in header and not name.isdecimal() for name in columns):
        return tuple(header.index(name) for name in columns)
    places = [look.find(name) for name in columns]
    for name, place in zip(columns, places, strict=True):
        if place is None:
            raise FormatError(
                f"no column {name!r}; the header has {', '.join(map(shorten, header[:12]))}",
                remedy=suggest(name, header)
                or "map the columns of head, relation and tail by name, or by number from 1",
                where=f"{look.path}:1",
            )
    return tuple(place for place in places if place is not None)


def _notes(look: Look, n: int, *, guessed: bool) -> list[str]:
    """Return what a user should know of how a table was read."""
    notes = []
    if look.count is not None and look.count != n:
        notes.append(
            f"warning: the first line of {look.path.name} gives {look.count:,} rows, it has {n:,}"
        )
    letters = not look.optional
    if guessed and look.text and look.header and not is_header(look.first, letters=letters):
        shown = ", ".join(map(shorten, look.first[:4]))
        notes.append(f"the first row of {look.path.name} is read as a header: {shown}")
    return notes


def _read_parquet(look: Look, places: tuple[int, ...], names: Names) -> pl.DataFrame:
    chosen = {name: look.first[i] for name, i in zip(COLUMNS, places, strict=True)}
    frame = read_parquet(look.path, chosen, names.schema())
    _require_filled(look, frame, 0)
    return frame


def _parquet_blocks(look: Look, places: tuple[int, ...]) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield facts, and how many bytes of the file they come to by their share of the rows."""
    chosen = {name: look.first[i] for name, i in zip(COLUMNS, places, strict=True)}
    n, n_rows, size = 0, parquet_rows(look.path), look.path.stat().st_size
    for frame in parquet_batches(look.path, chosen, whole=False):
        _require_filled(look, frame, n)
        n += len(frame)
        yield frame, size * n // max(n_rows, 1)


def _require_filled(look: Look, frame: pl.DataFrame, before: int) -> None:
    empty = frame.select(pl.any_horizontal(pl.all().is_null() | (pl.all() == ""))).to_series()
    if empty.any():
        raise FormatError(
            "an empty field; expected head, relation and tail in every row",
            remedy="drop or complete the row",
            where=f"{look.path}:{before + int(empty.arg_true()[0]) + 1}",
        )
