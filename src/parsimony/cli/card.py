"""``parsimony card``: the model card of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Run, check_output, open_run


def command(
    run: Run,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.md", help="Write it there instead of printing it."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say in Markdown what a run is for, from what it was learned, how well, and where not."""
    out = Output(as_json, quiet)
    check_output(file)
    estimator = open_run(run)
    from parsimony.report.card import run_card
    from parsimony.run.lock import write_outputs

    text = run_card(run, estimator=estimator)
    if file is None:
        out.result({"card": text}, text.rstrip())
    else:
        write_outputs({file: text.encode("utf-8", errors="replace")})
        out.result({"out": str(file), "bytes": file.stat().st_size}, f"{file}: the model card")
