"""``parsimony explain``: why an answer gets its score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Json,
    Knowledge,
    Quiet,
    Run,
    Seed,
    check_output,
    open_run,
    with_book,
)
from parsimony.errors import UsageError


def command(
    run: Run,
    head: Annotated[str, typer.Option("--head", metavar="H", help="The head, or the first drug.")],
    tail: Annotated[str, typer.Option("--tail", metavar="T", help="The tail, or the second drug.")],
    relation: Annotated[
        str | None,
        typer.Option(
            "--relation", metavar="R", help="The relation; for drugs, the most probable if omitted."
        ),
    ] = None,
    side: Annotated[
        str | None,
        typer.Option(
            "--side",
            metavar="head|tail",
            help="The side asked for: tail, (H, R, ?), the default, or head, (?, R, T).",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write an HTML page.")
    ] = None,
    dot: Annotated[
        Path | None, typer.Option("--dot", metavar="FILE", help="Also write Graphviz DOT.")
    ] = None,
    knowledge: Knowledge = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Explain the score of (H, R, T) as the answer to (H, R, ?), and test the explanation."""
    out = Output(as_json, quiet)
    check_output(html)
    check_output(dot)
    estimator = with_book(open_run(run), knowledge)
    if side is not None and not estimator.asks_either_side:
        raise UsageError(
            f"method {estimator.method!r} is asked about both ends together, not about one side",
            remedy="leave out --side",
        )
    asked = {} if side is None else {"side": side}
    notes: list[str] = []
    head, relation, tail = estimator.as_known(head, relation, tail, notes)
    explanation = estimator.explain(head, relation, tail, seed=seed, **asked)
    explanation = replace(explanation, notes=(*notes, *explanation.notes))
    wanted = ((html, explanation.html), (dot, explanation.dot))
    out.files({path: render() for path, render in wanted if path is not None})
    out.result(explanation.to_dict(), explanation.text())
