"""``parsimony explain``: why an answer gets its score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Address,
    Engine,
    Json,
    Knowledge,
    Quiet,
    Run,
    Seed,
    Workers,
    check_output,
    is_spread,
    open_run,
    spread,
    with_book,
)
from parsimony.cli.remote import Remote, Server, refuse_with_server
from parsimony.errors import UsageError

if TYPE_CHECKING:
    from parsimony.explain import Explanation


def command(
    run: Run,
    head: Annotated[
        str | None, typer.Option("--head", metavar="H", help="The head, or the first drug.")
    ] = None,
    tail: Annotated[
        str | None, typer.Option("--tail", metavar="T", help="The tail, or the second drug.")
    ] = None,
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
    second_opinion: Annotated[
        bool,
        typer.Option(
            "--second-opinion",
            help="Also list the kinds of paths that degrees do not explain, without the model.",
        ),
    ] = False,
    knowledge: Knowledge = None,
    queries: Annotated[
        Path | None,
        typer.Option("--queries", metavar="FILE", help="Facts to explain: head, relation, tail."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.jsonl",
            help="Their explanations, a JSON object a line; after a kill the same command goes on.",
        ),
    ] = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = 1,
    server: Server = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Explain the score of (H, R, T) as the answer to (H, R, ?), and test the explanation."""
    out = Output(as_json, quiet)
    check_output(html)
    check_output(dot)
    check_output(file)
    if queries is not None:
        alone = {"--head": head, "--tail": tail, "--relation": relation, "--html": html,
                 "--dot": dot, "--knowledge": knowledge, "--server": server}  # fmt: skip
        if given := [name for name, value in alone.items() if value is not None]:
            raise UsageError(f"--queries cannot be combined with {', '.join(given)}")
        if file is None or second_opinion:
            raise UsageError(
                "a file of facts needs both --queries and --out, without --second-opinion",
                remedy="parsimony explain RUN --queries FILE --out FILE.jsonl",
            )
        from parsimony.cli.explaining import explain_all

        with spread(engine, address, workers, file) as where:
            done = explain_all(
                _explainer(run, side, "link"), run, queries, file,
                side=side, seed=seed, engine=where, quiet=quiet,
            )  # fmt: skip
        out.result(
            done,
            f"{done['facts']:,} facts explained in {done['out']} "
            f"({done['resumed']:,} of them before)",
        )
        return
    if is_spread(engine, address, workers) or file is not None:
        raise UsageError(
            "--out, --engine, --address and --workers are for --queries", remedy="leave them out"
        )
    if head is None or tail is None:
        raise UsageError(
            "an explanation is of a fact: --head and --tail are needed",
            remedy="give --head H --relation R --tail T; --help has more",
        )
    if server is not None:
        refuse_with_server(knowledge=knowledge)

        remote, asked = Remote(server, run), {"head": head, "relation": relation, "tail": tail}
        found = remote.ask("explain", {**asked, "side": side, "seed": seed})
        explanation = remote.explanation(found)
        query = {**found["query"], "side": side, "seed": seed}
        opinion = remote.ask("second-opinion", query) if second_opinion else None
        show(out, explanation, opinion, html, dot)
        return
    estimator = with_book(_explainer(run, side), knowledge)
    if second_opinion and not estimator.asks_either_side:
        raise UsageError(
            "a second opinion is of links between entities", remedy="leave --second-opinion out"
        )
    asked = {} if side is None else {"side": side}
    notes: list[str] = []
    head, relation, tail = estimator.as_known(head, relation, tail, notes)
    explanation = estimator.explain(head, relation, tail, seed=seed, **asked)
    explanation = replace(explanation, notes=(*notes, *explanation.notes))
    opinion = _opinion(estimator, explanation, side, seed) if second_opinion else None
    show(out, explanation, opinion, html, dot)


def _explainer(run: Path, side: str | None, kind: str | None = None) -> Any:
    """Read a run that can be asked about that side."""
    estimator = open_run(run, kind)
    if side is not None and not estimator.asks_either_side:
        raise UsageError(
            f"method {estimator.method!r} is asked about both ends together, not about one side",
            remedy="leave out --side",
        )
    return estimator


def show(
    out: Output, explanation: Explanation, opinion: dict[str, Any] | None,
    html: Path | None, dot: Path | None,
) -> None:  # fmt: skip
    """Print an explanation, and write the files that are wanted."""
    wanted = ((html, explanation.html), (dot, explanation.dot))
    out.files({path: render() for path, render in wanted if path is not None})
    value, readable = explanation.to_dict(), [explanation.text()]
    if opinion is not None:
        value["second_opinion"] = opinion
        readable += opinion_table(opinion)
    out.result(value, *readable)


def _opinion(
    estimator: Any, explanation: Explanation, side: str | None, seed: int
) -> dict[str, Any]:
    """What a run's graph says without the model."""
    from parsimony.link.question import Question
    from parsimony.link.second_opinion import SecondOpinion, by_names

    task = estimator.task_
    fact = estimator.encode_fact(*explanation.query)
    question = Question.of(fact, "head" if side == "head" else "tail", task.n_relations)
    return by_names(SecondOpinion(task.test_graph).on(question, seed=seed), task.test_graph)


def opinion_table(opinion: dict[str, Any]) -> list[Any]:
    """A second opinion to be read."""
    from parsimony.answers import as_notes
    from parsimony.cli.tables import table

    rows = [[k["text"], k["paths"], k["expected"], k["p"], k["q"]] for k in opinion["kinds"]]
    return [
        "\nA second opinion",
        *[table(["kind of path", "paths", "expected", "p", "q"], rows)] * bool(rows),
        opinion["method"],
        *as_notes(opinion["notes"]),
    ]
