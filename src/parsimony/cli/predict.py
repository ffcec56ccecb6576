"""``parsimony predict``: answer one query, or a file of queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output, interruptible
from parsimony.cli.options import Head, Json, Quiet, Relation, Run, Seed, Tail, Top, open_run
from parsimony.errors import UsageError

Candidates = Annotated[
    Path | None,
    typer.Option("--candidates", metavar="FILE", help="Candidate entities, one per line."),
]
DropKnown = Annotated[
    bool, typer.Option("--drop-known", help="Leave out facts that are in the data already.")
]


def command(
    run: Run,
    head: Head = None,
    tail: Tail = None,
    relation: Relation = None,
    top: Top = 10,
    candidates: Candidates = None,
    drop_known: DropKnown = False,
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries",
            metavar="FILE",
            help="Queries: head, relation, tail, with ? for the unknown end.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.parquet", help="File for the answers of --queries."),
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Answer (H, R, ?) or (?, R, T), or a file of queries."""
    output = Output(as_json, quiet)
    single = [name for name, value in (("--head", head), ("--tail", tail)) if value is not None]
    single += ["--relation"] if relation is not None else []
    if queries is not None or out is not None:
        if single:
            raise UsageError(f"--queries cannot be combined with {', '.join(single)}")
        if queries is None or out is None:
            raise UsageError(
                "a batch needs both --queries and --out",
                remedy="parsimony predict RUN --queries FILE --out FILE.parquet",
            )
        if out.suffix.lower() not in (".parquet", ".pq"):
            raise UsageError(
                f"answers are written as Parquet, not as {out.suffix or 'a file without suffix'}",
                remedy=f"--out {out.with_suffix('.parquet')}",
            )
    else:
        check_query(head, relation, tail)
    estimator = open_run(run, "link")
    allowed = None if candidates is None else read_candidates(candidates, estimator)
    if queries is not None and out is not None:
        from parsimony.cli.batch import run_batch

        with interruptible("the same command continues where this one stopped"):
            done = run_batch(
                estimator, run, queries, out,
                top=top, candidates=allowed, drop_known=drop_known, quiet=quiet,
            )  # fmt: skip
        output.result(
            done,
            f"{done['queries']:,} queries, {done['answers']:,} answers in {done['out']} "
            f"({done['seconds']:.1f} s, {done['resumed']:,} queries already answered)",
        )
        return
    answer(output, estimator, head, relation, tail, top, allowed, drop_known)


def check_query(head: str | None, relation: str | None, tail: str | None) -> None:
    """Refuse a query that does not have one end and a relation.

    Raises
    ------
    UsageError
    """
    if (head is None) == (tail is None):
        raise UsageError(
            "a query needs either a head or a tail",
            remedy="give --head H --relation R, or --tail T --relation R",
        )
    if relation is None:
        raise UsageError("a query needs a relation", remedy="give --relation R")


def answer(
    output: Output,
    estimator: Any,
    head: str | None,
    relation: str | None,
    tail: str | None,
    top: int,
    candidates: list[str] | None,
    drop_known: bool,
) -> None:
    """Predict and print."""
    result = estimator.predict(
        head=head,
        relation=relation,
        tail=tail,
        top=top,
        candidates=candidates,
        drop_known=drop_known,
    )
    from parsimony.cli.tables import answers_table

    output.result(result, *answers_table(result, estimator.task_.test_data.label))


def read_candidates(path: Path, estimator: Any) -> list[str]:
    """Read entity names, one per line.

    Raises
    ------
    EmptySplit
        The file names no entity.
    UnknownEntity
        ``where`` gives the line.
    """
    from parsimony.decoding.files import check_file
    from parsimony.decoding.lines import numbered_lines
    from parsimony.errors import FormatError, UnknownEntity

    entities = estimator.task_.test_data.entities
    names = []
    with check_file(path).open("rb") as stream:
        for number, name, _ in numbered_lines(stream, str(path)):
            if not name:
                continue
            if name not in entities:
                raise UnknownEntity.of(name, entities, where=f"{path}:{number}")
            names.append(name)
    if not names:
        raise FormatError("no candidates", remedy="one entity name per line", where=str(path))
    return names
