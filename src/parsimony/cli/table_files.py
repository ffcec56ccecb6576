"""Tables as files: .parquet, .csv, .tsv; the one writer of all verbs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parsimony.cli.options import check_output
from parsimony.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SUFFIXES", "check_table", "escaped", "rows_bytes", "table_bytes", "unescaped"]

PARQUET, TEXT = (".parquet", ".pq"), {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*PARQUET, *TEXT)
#: A cell that a spreadsheet would run: ours get an apostrophe in front, and so do those that have
#: apostrophes in front of such a beginning already, so that taking one away gives the cell back.
_BEGINNINGS = r"=+\-@\t\r"
_RUN = rf"^('*[{_BEGINNINGS}])"


def check_table(path: Path | None) -> None:
    """Refuse a file that cannot be written, before the work starts.

    Raises
    ------
    UsageError
        Another suffix than .parquet, .pq, .csv and .tsv.
    NotAFile
        A folder.
    """
    check_output(path)
    if path is not None and path.suffix.lower() not in SUFFIXES:
        given = path.suffix or "a file without suffix"
        raise UsageError(
            f"a table is written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, not as {given}",
            remedy=f"--out {path.with_suffix('.parquet')} or --out {path.with_suffix('.csv')}",
        )


def rows_bytes(path: Path, schema: dict[str, Any], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return rows as the bytes of a file, as the path's suffix says.

    Parameters
    ----------
    schema
        Column name to Polars type.
    """
    import polars as pl

    return table_bytes(pl.DataFrame(rows, schema=schema, orient="row"), path.suffix)


def table_bytes(frame: pl.DataFrame, suffix: str, *, header: bool = True) -> bytes:
    """Return a table as the bytes of a file, text cells :func:`escaped` where it is text."""
    content = io.BytesIO()
    if suffix.lower() in PARQUET:
        frame.write_parquet(content)
    else:
        frame.with_columns(escaped(frame)).write_csv(
            content, separator=TEXT[suffix.lower()], include_header=header
        )
    return content.getvalue()


def escaped(frame: pl.DataFrame) -> Iterable[pl.Expr]:
    """The text columns, with an apostrophe in front of cells that a spreadsheet would run."""
    import polars as pl

    return [pl.col(name).str.replace(_RUN, "'${1}")
            for name, kind in frame.schema.items() if kind == pl.String]  # fmt: skip


def unescaped(cell: str) -> str:
    """Return the cell that :func:`escaped` turned into ``cell``."""
    return re.sub(rf"^'(?='*[{_BEGINNINGS}])", "", cell)
