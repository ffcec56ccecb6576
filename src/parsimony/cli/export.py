"""``parsimony export``: write the embedding vectors of a run to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Run, Seed, check_output, open_run
from parsimony.errors import UsageError


def command(
    run: Run,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE.parquet|FILE.txt", help="Parquet, or word2vec's text format."
        ),
    ],
    relations: Annotated[
        bool, typer.Option("--relations", help="In text, the relation vectors, not the entities'.")
    ] = False,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Write the embedding vectors of a run.

    Parquet holds entities and relations (columns kind, name, vector).
    """
    output = Output(as_json, quiet)
    check_output(out)
    if out.suffix.lower() not in (".parquet", ".txt"):
        raise UsageError(
            f"vectors are written as .parquet or .txt, not as {out.suffix or 'no suffix'!r}",
            remedy=f"--out {out.with_suffix('.parquet')}",
        )
    estimator = open_run(run, "link")
    if not hasattr(estimator, "vectors"):
        raise UsageError(
            f"method {estimator.method} has no entity embeddings",
            remedy="export a run of bilinear, complex, distmult, simple, analogy, transe or rotate",
            where=str(run),
        )
    from parsimony.link.embeddings.export import write_parquet, write_word2vec

    if out.suffix.lower() == ".parquet":
        tables = {kind: estimator.vectors(kind) for kind in ("entity", "relation")}
        write_parquet(out, tables)
    else:
        kind = "relation" if relations else "entity"
        tables = {kind: estimator.vectors(kind)}
        write_word2vec(out, *tables[kind])
    result = {"out": str(out), "dim": int(estimator.resolved_.dim)}
    result |= {kind: len(names) for kind, (names, _) in tables.items()}
    counts = ", ".join(f"{len(names):,} {kind} vectors" for kind, (names, _) in tables.items())
    output.result(result, f"{out}: {counts}")
