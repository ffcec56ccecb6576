"""Reading triples from TSV, space-separated, CSV, Parquet and RDF files.

Tables are parsed by :mod:`parsimony.decoding.tables`, without a Python loop over lines, directly
into dictionary codes: a triple takes twelve bytes plus one copy of each distinct name.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from parsimony.decoding.files import check_file
from parsimony.decoding.lines import TextTable, first_line, shorten
from parsimony.decoding.parquet import PARQUET, parquet_schema, read_parquet
from parsimony.decoding.tables import read_cells
from parsimony.errors import FormatError, InvalidParameter, suggest
from parsimony.graph.names import COLUMNS, Names
from parsimony.graph.rdf import RDF_SUFFIXES, RdfLines, read_rdf
from parsimony.graph.rescan import Lines, TableLines

__all__ = ["line_reader", "read_triples"]

# Header names that need no mapping. Single letters could be names in a small graph, so in text
# files, where a header is optional, only whole words are recognised as a header.
_WORDS = (COLUMNS, ("subject", "predicate", "object"), ("source", "relation", "target"))
_KNOWN_HEADERS = (*_WORDS, ("h", "r", "t"), ("s", "p", "o"))


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
        Header names of head, relation and tail. Without it a header such as
        ``head,relation,tail`` or ``subject,predicate,object`` is recognised, else the file must
        have exactly three columns.
    names : Names, optional
        Dictionaries shared with other files.
    notes : list of str, optional
        Receives a note on each kind of row that was left out.

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
    suffix = path.suffix.lower()
    if columns is not None and len(set(columns)) != 3:
        raise InvalidParameter(
            f"columns {tuple(columns)} must be three different names: head, relation, tail"
        )
    if suffix in PARQUET:
        return _read_parquet(path, columns, names)
    if suffix in RDF_SUFFIXES:
        return read_rdf(path, names, notes)
    return _read_delimited(path, columns, names)


def _match_header(
    path: Path,
    header: list[str],
    columns: tuple[str, str, str] | None,
    headers: tuple[tuple[str, ...], ...] = _KNOWN_HEADERS,
) -> tuple[str, str, str] | None:
    """Return the header names of head, relation and tail, or None if it is not a header."""
    if columns is not None:
        for name in columns:
            if name not in header:
                raise FormatError(
                    f"no column {name!r}; the header has {', '.join(map(shorten, header[:12]))}",
                    remedy=suggest(name, header) or "map the columns of head, relation and tail",
                    where=f"{path}:1",
                )
        return columns
    lowered = [name.strip().lower() for name in header]
    for known in headers:
        if all(lowered.count(name) == 1 for name in known):
            first, second, third = (header[lowered.index(name)] for name in known)
            return first, second, third
    return None


def line_reader(path: Path, columns: tuple[str, str, str] | None = None) -> Lines:
    """Return the slow reader of a text file: separator, header and column positions resolved."""
    if path.suffix.lower() in RDF_SUFFIXES:
        return RdfLines(path)
    return TableLines(_layout(path, columns))


def _layout(path: Path, columns: tuple[str, str, str] | None) -> TextTable:
    """Return separator, header and the columns of head, relation and tail of a text file."""
    _, start = first_line(path)
    csv = path.suffix.lower() == ".csv"
    separator = "," if csv else "\t" if "\t" in start else " "
    line, header = TextTable(path, separator, quoted=csv).header()
    matched = _match_header(path, header, columns, _KNOWN_HEADERS if csv else _WORDS)
    if csv and header and matched is None and len(header) != 3:
        raise FormatError(
            f"{len(header)} columns without a header of head, relation and tail: "
            f"{', '.join(map(shorten, header[:12]))}",
            remedy="map the columns, e.g. columns=('subject', 'predicate', 'object')",
            where=f"{path}:{line}",
        )
    return TextTable(
        path,
        separator,
        quoted=csv,
        width=len(header) if matched else 3,
        skip=line if matched else 0,
        wanted=_positions(path, header, matched) if matched else (0, 1, 2),
        filled=True,
        expected="head, relation and tail",
    )


def _positions(path: Path, header: list[str], names: tuple[str, str, str]) -> tuple[int, ...]:
    for name in names:
        if header.count(name) > 1:
            raise FormatError(
                f"column {name!r} twice", remedy="rename one of them", where=f"{path}:1"
            )
    return tuple(header.index(name) for name in names)


def _read_delimited(path: Path, columns: tuple[str, str, str] | None, names: Names) -> pl.DataFrame:
    if not first_line(path)[0]:
        return pl.DataFrame(schema=names.schema())
    table = _layout(path, columns)
    return read_cells(table, dict(zip(COLUMNS, table.wanted, strict=True)), names.schema())


def _read_parquet(path: Path, columns: tuple[str, str, str] | None, names: Names) -> pl.DataFrame:
    header = list(parquet_schema(path))
    matched = _match_header(path, header, columns)
    if matched is None:
        if len(header) != 3:
            raise FormatError(
                f"columns {', '.join(map(shorten, header[:12]))} without head, relation and tail",
                remedy="map the columns, e.g. columns=('subject', 'predicate', 'object')",
                where=str(path),
            )
        matched = (header[0], header[1], header[2])
    frame = read_parquet(path, dict(zip(COLUMNS, matched, strict=True)), names.schema())
    empty = frame.select(pl.any_horizontal(pl.all().is_null() | (pl.all() == ""))).to_series()
    if empty.any():
        raise FormatError(
            "an empty field; expected head, relation and tail in every row",
            remedy="drop or complete the row",
            where=f"{path}:{int(empty.arg_true()[0]) + 1}",
        )
    return frame
