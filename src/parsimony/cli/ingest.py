"""``parsimony ingest``: facts into a graph store, which every command opens at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Columns, Json, Quiet, Seed, parse_columns
from parsimony.errors import InvalidParameter

_LEAST = 64_000_000


def command(
    facts: Annotated[
        list[str],
        typer.Argument(
            metavar="FACTS...",
            help="Files of facts (TSV, CSV, also .gz and .zst, Parquet, RDF), or a dataset folder.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="STORE", help="Folder of the store.")],
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="What edges, and what names may take, e.g. 4G [default: 4G, or a quarter].",
        ),
    ] = None,
    held_out: Annotated[
        int,
        typer.Option("--held-out", min=1, help="Most facts of validation, and of test."),
    ] = 10_000,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write facts as a graph store, for graphs that exceed memory."""
    output = Output(as_json, quiet)
    limit, named = None if memory is None else _memory(memory), parse_columns(columns)
    from parsimony.link.ingesting import ingest
    from parsimony.run.description import size_text

    done = ingest(
        facts, out, columns=named, seed=seed, held_out=held_out, memory=limit, quiet=quiet
    )
    counts = " / ".join(f"{n:,}" for n in done["facts"].values())
    for note in done["notes"]:
        output.note(note)
    output.result(
        done,
        f"{done['store']}: {done['entities']:,} entities, {done['relations']:,} relations, "
        f"{counts} facts (train / valid / test)\n"
        f"{size_text(done['bytes'])} in {done['seconds']:.3g} s "
        f"({done['facts_per_second']:,} facts/s)",
    )


def _memory(text: str) -> int:
    """An amount as every ``--memory`` takes it, enough for ingestion to work in."""
    from parsimony.base.memory import parse_memory

    size = parse_memory(text)
    if size < _LEAST:
        raise InvalidParameter(
            f"--memory takes a size of 64M or more. Got {text!r}", remedy="for example --memory 4G"
        )
    return size
