"""``parsimony predict``: answer one query, or a file of queries."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Address,
    Engine,
    Head,
    Json,
    Knowledge,
    Quiet,
    Relation,
    Run,
    Seed,
    Settings,
    Tail,
    Top,
    Workers,
    is_spread,
    open_run,
    spread,
    with_book,
)
from parsimony.cli.partial import Unknown
from parsimony.cli.remote import Remote, Server, refuse_with_server
from parsimony.cli.table_files import check_table, table_bytes
from parsimony.errors import UsageError
from parsimony.visible import visible

if TYPE_CHECKING:
    from parsimony.answers import Answers

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
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = 1,
    knowledge: Knowledge = None,
    settings: Settings = None,
    server: Server = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Answer (H, R, ?) or (?, R, T), or a file of queries."""
    output = Output(as_json, quiet)
    single = [name for name, value in (("--head", head), ("--tail", tail)) if value is not None]
    single += ["--relation"] if relation is not None else []
    check_table(out)
    if is_spread(engine, address, workers) and (queries is None or knowledge is not None):
        raise UsageError(
            "--engine, --address and --workers are for --queries, without a book: weighing one is "
            "done in one process",
            remedy="leave them out",
        )
    if server is not None:
        refuse_with_server(
            queries=queries, candidates=candidates, engine=engine != "local", address=address,
            workers=workers != 1, knowledge=knowledge, set=settings,
        )  # fmt: skip
        check_query(head, relation, tail)
        answer_from(output, Remote(server, run), run, head, relation, tail, top, drop_known, out)
        return
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
    estimator = with_book(open_run(run, "link"), knowledge, settings)
    unknown = Unknown()
    allowed = None if candidates is None else read_candidates(candidates, estimator, unknown)
    if queries is not None and out is not None:
        from parsimony.answers import as_notes
        from parsimony.cli.batch import run_batch

        with spread(engine, address, workers, out) as where:
            done = run_batch(
                estimator, run, queries, out,
                top=top, candidates=allowed, drop_known=drop_known, unknown=unknown, quiet=quiet,
                book=knowledge, settings=settings, engine=where,
            )  # fmt: skip
        output.result(
            done,
            f"{done['queries']:,} queries, {done['answers']:,} answers in {done['out']} "
            f"({done['seconds']:.1f} s, {done['resumed']:,} queries already answered)",
            *as_notes(done["notes"]),
        )
    else:
        why = run if knowledge is None else None
        answer(output, estimator, head, relation, tail, top, allowed, drop_known, unknown, out, why)
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
    run: Path | None = None,
) -> None:
    """Predict, print, and write where a file is given; a run says how to explain its answer."""
    result = estimator.predict(
        head=head,
        relation=relation,
        tail=tail,
        top=top,
        candidates=candidates,
        drop_known=drop_known,
    )
    unknown.tell(result, "candidates")
    why = "" if run is None or not estimator.gives_reasons else explain_line(run, result)
    show(output, result, estimator.task_.test_data.label, why, out)


def answer_from(
    output: Output, remote: Remote, run: Path, head: str | None, relation: str | None,
    tail: str | None, top: int, drop_known: bool, out: Path | None,
) -> None:  # fmt: skip
    """The same as :func:`answer`, of a run at a server."""
    from parsimony.answers import Answers

    asked = {"head": head, "relation": relation, "tail": tail, "top": top, "drop_known": drop_known}
    found = remote.ask("predict", asked)
    about = found.pop("about", {})
    result = Answers(found)
    why = explain_line(run, result) if "explain" in remote.card()["can"] else ""
    more = f" --server {shlex.quote(remote.address)}" if why else ""
    show(output, result, lambda name: about.get(name, {}).get("label", name), why + more, out)


def show(
    output: Output, result: Answers, label: Callable[[str], str], why: str, out: Path | None
) -> None:
    """Print answers, and write them where a file is given."""
    if out is not None:
        from parsimony.cli.batch import frame_of

        output.files({out: table_bytes(frame_of([result], [0]), out.suffix)})
    from parsimony.cli.tables import answers_table

    table = answers_table(result, label)
    output.result(result, *table, *[f"\nWhy the first: {why}"] * bool(why))


def explain_line(run: Path, result: Mapping[str, Any]) -> str:
    """Return the command that explains the best answer from the side that was asked for.

    "" where there is no answer, or where a name cannot be pasted into a shell.
    """
    if not result["answers"]:
        return ""
    query, asked = result["query"], "tail" if "head" in result["query"] else "head"
    fact = {**query, asked: result["answers"][0]["entity"]}
    words = ["parsimony", "explain", str(run)]
    for name in ("head", "relation", "tail"):
        dashed = fact[name].startswith("-")
        words += [f"--{name}={fact[name]}"] if dashed else [f"--{name}", fact[name]]
    line = shlex.join([*words, *["--side", "head"] * (asked == "head")])
    return line if line == visible(line, one_line=True) else ""


def read_candidates(path: Path, estimator: Any, unknown: Unknown) -> list[str]:
    """Read entity names, one per line; those that are unknown are reported there.

    Raises
    ------
    FormatError
        The file names no entity.
    UnknownEntity
        It names only unknown ones.
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
            try:
                entities.index(name, where=f"{path}:{number}", notes=[])  # the answer notes it
            except UnknownEntity:
                unknown.add(UnknownEntity, name, entities, f"{path}:{number}")
                continue
            names.append(name)
    unknown.require(names)
    if not names:
        raise FormatError("no candidates", remedy="one entity name per line", where=str(path))
    return names
