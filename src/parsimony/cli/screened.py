"""Screened partners on the screen and in a table file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from parsimony.cli.options import check_output
from parsimony.errors import UsageError

__all__ = ["check_table", "screened_table", "write_table"]

_FORMATS = (".parquet", ".pq", ".csv", ".tsv")


def check_table(path: Path | None) -> None:
    """Refuse a file that could not be written, before the work.

    Raises
    ------
    UsageError
        Another suffix than .parquet, .pq, .csv or .tsv.
    NotAFile
        A folder.
    """
    check_output(path)
    if path is not None and path.suffix.lower() not in _FORMATS:
        given = path.suffix or "a file without suffix"
        raise UsageError(
            f"a table is written as Parquet or CSV, not as {given}",
            remedy=f"--out {path.with_suffix('.parquet')}",
        )


def write_table(result: dict[str, Any], path: Path) -> None:
    """Write all partners, one row each, whole or not at all."""
    import polars as pl

    from parsimony.run.atomic import write_atomic

    rows = [
        (
            rank,
            partner["drug"],
            partner["id"],
            *partner["order"],
            partner["type"],
            partner["probability"],
            partner["text"],
            partner["reason"] or None,
            "; ".join(f"{fact['text']} ({fact['split']})" for fact in partner["known"]) or None,
        )
        for rank, partner in enumerate(result["partners"], start=1)
    ]
    text = ("drug", "id", "drug1", "drug2", "type", "probability", "text", "reason", "known")
    schema = {"rank": pl.Int32} | dict.fromkeys(text, pl.String) | {"probability": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    content = io.BytesIO()
    if path.suffix.lower() in (".parquet", ".pq"):
        frame.write_parquet(content)
    else:
        frame.write_csv(content, separator="\t" if path.suffix.lower() == ".tsv" else ",")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content.getvalue())


def screened_table(partners: list[dict[str, Any]]) -> Any:
    """Return the table of the partners shown."""
    from parsimony.cli.tables import table

    rows = []
    for rank, partner in enumerate(partners, start=1):
        said = [partner["text"]]
        said += [f"  {partner['reason']}"] if partner["reason"] else []
        said += [f"  known ({fact['split']}): {fact['text']}" for fact in partner["known"]]
        rows.append([rank, partner["drug"], partner["probability"], "\n".join(said)])
    return table(["#", "drug", "probability", "interaction, reason, what the data state"], rows)
