"""Reading triples from TSV, space-separated, CSV, Parquet and RDF files.

Tables are parsed by Polars, without a Python loop over lines, directly into dictionary codes: a
triple takes twelve bytes plus one copy of each distinct name. If a row is invalid, the file is
read again, slowly, to find its line (:mod:`parsimony.graph.rescan`).
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from parsimony.decoding.files import check_file
from parsimony.decoding.number_text import as_text
from parsimony.errors import FormatError, InvalidParameter, suggest
from parsimony.graph.names import COLUMNS, Names
from parsimony.graph.rdf import RDF_SUFFIXES, RdfLines, read_rdf
from parsimony.graph.rescan import (
    MAX_LINE,
    CsvLines,
    Lines,
    TextLines,
    explain_failure,
    find_long_line,
    first_line,
    shorten,
)

__all__ = ["line_reader", "read_triples"]

# Header names that need no mapping. Single letters could be names in a small graph, so in text
# files, where a header is optional, only whole words are recognised as a header.
_WORDS = (COLUMNS, ("subject", "predicate", "object"), ("source", "relation", "target"))
_KNOWN_HEADERS = (*_WORDS, ("h", "r", "t"), ("s", "p", "o"))

_PARQUET = {".parquet", ".pq"}


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
    if suffix in _PARQUET:
        return _read_parquet(path, columns, names)
    if suffix in RDF_SUFFIXES:
        return read_rdf(path, names, notes)
    if find_long_line(path):
        # Before parsing: such a line would be copied several times before the error.
        raise explain_failure(line_reader(path, columns), f"a line longer than {MAX_LINE:,} bytes")
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
    number, start = first_line(path)
    if path.suffix.lower() == ".csv":
        header = next(CsvLines.split(start), [])
        matched = _match_header(path, header, columns)
        if matched is None and len(header) != 3:
            return CsvLines(path, None, 3, 0)
        positions = None if matched is None else [header.index(name) for name in matched]
        return CsvLines(path, positions, len(header), 0 if matched is None else number)
    separator = "\t" if "\t" in start else " "
    header = start.split(separator)
    matched = _match_header(path, header, columns, _WORDS)
    if matched is None:
        return TextLines(path, separator, None, 3, 0)
    positions = [header.index(name) for name in matched]
    return TextLines(path, separator, positions, len(header), number)


def _read_delimited(path: Path, columns: tuple[str, str, str] | None, names: Names) -> pl.DataFrame:
    number, start = first_line(path)
    if not number:
        return pl.DataFrame(schema=names.schema())
    lines = line_reader(path, columns)
    if lines.positions is None and isinstance(lines, CsvLines):
        fields = next(CsvLines.split(start), [])
        if len(fields) != 3:
            raise FormatError(
                f"{len(fields)} columns without a header of head, relation and tail: "
                f"{', '.join(map(shorten, fields[:12]))}",
                remedy="map the columns, e.g. columns=('subject', 'predicate', 'object')",
                where=f"{path}:{number}",
            )
    positions = lines.positions or [0, 1, 2]
    width = lines.width
    # Columns that are not needed are read as text and dropped by the projection.
    schema: dict[str, pl.DataType] = {f"column_{i + 1}": pl.String() for i in range(width)}
    wanted = tuple(f"column_{i + 1}" for i in positions)
    schema.update(names.schema(wanted))  # type: ignore[arg-type]
    try:
        frame = (
            pl.scan_csv(
                path,
                separator=lines.separator,
                quote_char='"' if isinstance(lines, CsvLines) else None,
                has_header=False,
                skip_rows=lines.header_line,
                schema=schema,
                missing_columns="insert",
                raise_if_empty=False,
            )
            .select(**{name: pl.col(c) for name, c in zip(COLUMNS, wanted, strict=True)})
            .collect()
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise explain_failure(lines, str(error).split("\n")[0]) from None
    if sum(frame.null_count().row(0)):
        # Blank lines are harmless; any other null is a missing field.
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        if sum(frame.null_count().row(0)):
            raise explain_failure(lines, "a row with an empty field")
    return frame


def _read_parquet(path: Path, columns: tuple[str, str, str] | None, names: Names) -> pl.DataFrame:
    try:
        header = list(pl.read_parquet_schema(path))
        matched = _match_header(path, header, columns)
        if matched is None:
            if len(header) != 3:
                raise FormatError(
                    f"columns {', '.join(map(shorten, header[:12]))} without head, relation "
                    "and tail",
                    remedy="map the columns, e.g. columns=('subject', 'predicate', 'object')",
                    where=str(path),
                )
            matched = (header[0], header[1], header[2])
        frame = pl.read_parquet(path, columns=list(matched))
        kinds = frame.schema
        text = frame.select(
            as_text(name, kinds[name]).alias(own)
            for own, name in zip(COLUMNS, matched, strict=True)
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise FormatError(
            f"not a readable Parquet file ({str(error).splitlines()[0][:200]})",
            remedy="write it again, or give TSV or CSV",
            where=str(path),
        ) from None
    nulls = text.select(pl.any_horizontal(pl.all().is_null() | (pl.all() == "")).arg_max())
    if (
        len(text)
        and text.select(pl.any_horizontal(pl.all().is_null() | (pl.all() == "")).any()).item()
    ):
        raise FormatError(
            "an empty field; expected head, relation and tail in every row",
            remedy="drop or complete the row",
            where=f"{path}:{nulls.item() + 1}",
        )
    return text.cast(names.schema())  # type: ignore[arg-type]
