"""Numbers of a typed table as text: the same text whatever the type of the column."""

from __future__ import annotations

import polars as pl

__all__ = ["as_text"]


def as_text(column: str, kind: pl.DataType) -> pl.Expr:
    """Return a column as text: whole numbers without a decimal point, NaN as null.

    So a name is the same in a column of integers, in one of floating-point numbers (which pandas
    makes of integers where one is missing) and in a text file.
    """
    if not kind.is_float():
        return pl.col(column).cast(pl.String)
    return pl.col(column).fill_nan(None).cast(pl.String).str.strip_suffix(".0")
