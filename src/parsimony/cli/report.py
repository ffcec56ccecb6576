"""``parsimony report``: write a run as one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Run, Seed, check_output, open_run


def command(
    run: Run,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="The page [default: RUN/report.html]."),
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write a run as one self-contained page."""
    out = Output(as_json, quiet)
    check_output(file)
    estimator = open_run(run)
    from parsimony.report import run_info, run_report

    path = file or run / "report.html"
    info = run_info(run, estimator=estimator, seed=seed, quiet=quiet)
    run_report(info, path)
    out.result(
        {
            "report": str(path),
            "bytes": path.stat().st_size,
            "rules": len(info.get("rules", ())),
            "explanations": len(info.get("explanations", ())),
        },
        f"{path}: {path.stat().st_size / 1000:,.0f} kB, no network needed",
    )
