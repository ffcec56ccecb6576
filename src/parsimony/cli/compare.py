"""``parsimony compare``: runs on the same data, side by side and question by question."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Seed, Split, check_output, require_there
from parsimony.cli.tables import table

_MOST_RELATIONS = 30


def command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN …", help="The --out folders of parsimony fit.")
    ],
    split: Split = "test",
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Write a page, too.")
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Compare runs of the same data: paired differences, strata, cost and description length.

    Says which run is the simplest that is not shown to be worse than the best.
    """
    out = Output(as_json, quiet)
    check_output(file)
    for run in runs:
        require_there(run)
    from parsimony.answers import as_notes
    from parsimony.report.compare import compare_runs, comparison_page

    found = compare_runs(runs, split=split, seed=seed, quiet=quiet)
    if file is not None:
        out.files({file: comparison_page(found).encode("utf-8", errors="replace")})
    out.result(found, *_readable(found), "", *as_notes(found["notes"]))


def _readable(found: dict[str, Any]) -> list[Any]:
    """Return the tables: the runs, their differences, the strata, the relations."""
    from parsimony.link.strata import KINDS
    from parsimony.run.description import size_text

    runs, headline = found["runs"], found["headline"]
    letters = [row["letter"] for row in runs]
    measures = list(runs[0]["values"])
    parts: list[Any] = [
        table(
            [f"{found['split']}, {found['n']:,} {found['unit']}", "method", *measures,
             "description", "parameters", "CPU s"],
            [
                [f"{row['letter']}  {row['run']}", row["method"],
                 *(row["values"][name]["value"] for name in measures),
                 size_text(row["description_bytes"]), row["parameters"], row["cpu_seconds"]]
                for row in runs
            ],
        ),
        "",
        table(
            ["better", "than", *measures, f"95% interval of {headline}"],
            [
                [pair["better"], pair["worse"],
                 *(_signed(pair["gain"].get(name)) for name in measures),
                 _between(pair["gain"][headline])]
                for pair in found["differences"]
            ],
            title=f"How much better, paired over {found['unit']} (negative: worse)",
        ),
        "",
        found["says"],
    ]  # fmt: skip
    rows = [
        [KINDS.get(kind, kind) if i == 0 else "", row["stratum"], row["n"],
         *(value and value["value"] for value in row["values"])]
        for kind, strata in found["strata"].items()
        for i, row in enumerate(strata)
    ]  # fmt: skip
    if rows:
        columns = ["stratum", "", found["unit"], *letters]
        parts += ["", table(columns, rows, title=f"{headline} by stratum")]
    relations = found["relations"]
    if relations:
        columns = ["relation", "queries"]
        columns += [f"{letter} {side}" for letter in letters for side in ("tails", "heads")]
        rows = [
            [row["relation"], row["n"],
             *(row[side][i] for i in range(len(runs)) for side in ("tail", "head"))]
            for row in relations[:_MOST_RELATIONS]
        ]  # fmt: skip
        parts += ["", table(columns, rows, title=f"{headline} by relation and side")]
        if len(relations) > len(rows):
            parts.append(f"… and {len(relations) - len(rows):,} more relations (all with --json)")
    return parts


def _signed(gain: dict[str, Any] | None) -> str:
    return "" if gain is None else f"{gain['value']:+.4f}"


def _between(gain: dict[str, Any]) -> str:
    return "" if gain["interval"] is None else "{:+.4f} to {:+.4f}".format(*gain["interval"])
