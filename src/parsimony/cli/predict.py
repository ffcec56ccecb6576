"""``parsimony predict``: answer one query, or a file of queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Head, Json, Quiet, Relation, Run, Seed, Tail, Top, open_run
from parsimony.cli.partial import Unknown
from parsimony.cli.table_files import check_table, table_bytes
from parsimony.errors import UsageError
from parsimony.stopping import interruptible

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
        typer.Option("--out", metavar="FILE", help="File for all answers: .parquet, .csv or .tsv."),
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Answer (H, R, ?) or (?, R, T), or a file of queries."""
    output = Output(as_json, quiet)
    single = [name for name, value in (("--head", head), ("--tail", tail)) if value is not None]
    single += ["--relation"] if relation is not None else []
    check_table(out)
    if queries is not None:
        if single:
            raise UsageError(f"--queries cannot be combined with {', '.join(single)}")
        if out is None:
            raise UsageError(
                "a batch needs both --queries and --out",
                remedy="parsimony predict RUN --queries FILE --out FILE.parquet",
            )
    elif out is not None and not single:
        raise UsageError(
            "--out needs a query, or --queries FILE",
            remedy="parsimony predict RUN --queries FILE --out FILE.parquet",
        )
    else:
        check_query(head, relation, tail)
    estimator = open_run(run, "link")
    unknown = Unknown()
    allowed = None if candidates is None else read_candidates(candidates, estimator, unknown)
    if queries is not None and out is not None:
        from parsimony.answers import as_notes
        from parsimony.cli.batch import run_batch

        with interruptible("the same command continues where this one stopped"):
            done = run_batch(
                estimator, run, queries, out,
                top=top, candidates=allowed, drop_known=drop_known, unknown=unknown, quiet=quiet,
            )  # fmt: skip
        output.result(
            done,
            f"{done['queries']:,} queries, {done['answers']:,} answers in {done['out']} "
            f"({done['seconds']:.1f} s, {done['resumed']:,} queries already answered)",
            *as_notes(done["notes"]),
        )
    else:
        answer(output, estimator, head, relation, tail, top, allowed, drop_known, unknown, out)
    unknown.exit()


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
    unknown: Unknown,
    out: Path | None = None,
) -> None:
    """Predict, print, and write where a file is given."""
    result = estimator.predict(
        head=head,
        relation=relation,
        tail=tail,
        top=top,
        candidates=candidates,
        drop_known=drop_known,
    )
    unknown.tell(result, "candidates")
    if out is not None:
        from parsimony.cli.batch import frame_of

        output.files({out: table_bytes(frame_of([result], [0]), out.suffix)})
    from parsimony.cli.tables import answers_table

    output.result(result, *answers_table(result, estimator.task_.test_data.label))


def read_candidates(path: Path, estimator: Any, unknown: Unknown) -> list[str]:
    """Read entity names, one per line; those that are unknown are reported there.

    Raises
    ------
    FormatError
        The file names no entity.
    UnknownEntity
        It names only unknown ones.
    """
    from parsimony.decoding.files import read_text
    from parsimony.errors import FormatError, UnknownEntity

    entities = estimator.task_.test_data.entities
    names = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        name = line.rstrip("\r")
        if not name:
            continue
        if name not in entities:
            unknown.add(UnknownEntity, name, entities, f"{path}:{number}")
            continue
        names.append(name)
    unknown.require(names)
    if not names:
        raise FormatError("no candidates", remedy="one entity name per line", where=str(path))
    return names
