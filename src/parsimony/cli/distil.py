"""``parsimony distil``: a run as a weighted rule book of chosen size."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Run, Seed, check_output, open_run
from parsimony.cli.tables import table


def command(
    run: Run,
    rules: Annotated[
        int | None,
        typer.Option(
            "--rules",
            min=1,
            help="Most rules of the book [default: the fewest that agree nearly as often as any].",
        ),
    ] = None,
    book: Annotated[
        Path | None,
        typer.Option("--out", metavar="BOOK", help="The book [default: RUN/distilled.txt]."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the curve and the rules as a page."),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option("--held-out", min=1, help="Most validation queries to measure the book on."),
    ] = 1000,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Turn a link run into a weighted rule book, and say how faithful the book is.

    The weights are fitted to the model's answers on training facts, each left out of the walks;
    agreement is measured on validation for books of many sizes.
    """
    out = Output(as_json, quiet)
    check_output(book)
    check_output(html)
    model = open_run(run, "link")
    from parsimony.answers import as_notes
    from parsimony.knowledge import format_rules
    from parsimony.link.distillation import distil
    from parsimony.report.distil import distil_page, sentence

    made = distil(model, rules=rules, held_out=held_out, seed=seed, quiet=quiet)
    path = book or run / "distilled.txt"
    apply = ["apply", str(path), str(run), "--set", "aggregation=noisy-or"]
    found: dict[str, Any] = {
        "run": str(run),
        "book": str(path),
        "origin": "distilled",
        "method": model.method,
        "data": {"name": model.task_.data.name, "hash": model.task_.data.content_hash},
        **made.as_dict(),
        "aggregation": "noisy-or",
        "rules": [str(rule) for rule in made.rules],
        "notes": list(made.notes),
    }
    found["sentence"] = sentence(found)
    header = (
        f"# distilled from {run} ({model.method}, data {found['data']['hash'][:12]}); "
        "weights to be combined by noisy-or\n"
        f"# {found['sentence']}\n"
    )
    files: dict[Path, bytes | str] = {path: header + format_rules(made.rules)}
    if html is not None:
        files[html] = distil_page(found)
    out.files(files)
    for note in as_notes(made.notes):
        out.note(note)
    rows = [
        [point.rules, point.top1, point.correlation, point.explained, point.mrr,
         "the book" if point == made.fidelity else ""]
        for point in made.curve
    ]  # fmt: skip
    out.result(
        found,
        table(["rules", "top-1 agreement", "rank correlation", "explained", "valid MRR", ""], rows),
        "",
        found["sentence"],
        f"book:  {path}",
        f"next:  parsimony {shlex.join(apply)}",
    )
