"""``parsimony runs``: a table of the runs below a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet
from parsimony.cli.tables import table
from parsimony.errors import UnknownDataset, suggest


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to look, and below it.")
    ] = Path("runs"),
    data: Annotated[
        str | None, typer.Option("--data", metavar="NAME", help="Only the runs on these data.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List runs: data, method, metric, size, cost and date.

    By data, the best on validation first. Every file is compared with its checksum; runs that are
    unfinished or damaged stand below the table.
    """
    out = Output(as_json, quiet)
    from parsimony.run.listing import list_runs

    rows = list_runs(folder)
    if data is not None:
        names = sorted({row["data"] for row in rows if row["data"] is not None})
        rows = [row for row in rows if row["data"] == data]
        if not rows:
            raise UnknownDataset(
                f"no run on {data!r} there",
                remedy=suggest(data, names) or f"data of these runs: {', '.join(names) or 'none'}",
                where=str(folder),
            )
    out.result({"runs": rows}, *_readable(rows, folder))


def _readable(rows: list[dict[str, Any]], folder: Path) -> list[Any]:
    from parsimony.run.description import size_text

    finished = [row for row in rows if row["state"] == "finished"]
    others = [row for row in rows if row["state"] != "finished"]
    columns = ["run", "data", "method", "metric", "valid", "test", "parameters", "description",
               "seconds", "date"]  # fmt: skip
    parts: list[Any] = []
    if finished:
        parts.append(
            table(
                columns,
                [
                    [os.path.relpath(row["run"], folder),
                     *(row[name] for name in columns[1:7]),
                     size_text(row["description_bytes"]),
                     row["seconds"] and round(row["seconds"]), row["date"][:16]]
                    for row in finished
                ],
            )
        )  # fmt: skip
    else:
        parts.append(f"no finished run in {folder}")
    for row in others:
        of = " ".join(filter(None, (row["method"], row["data"] and f"on {row['data']}")))
        about = f" ({of})" if of else ""
        parts.append(f"{row['state']}: {row['run']}{about}: {row['problem']}")
    return parts
