"""``parsimony explain``: why an answer gets its score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from parsimony.cli.remote import Remote, Server, refuse_with_server
from parsimony.errors import UsageError

if TYPE_CHECKING:
    from parsimony.explain import Explanation


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
    second_opinion: Annotated[
        bool,
        typer.Option(
            "--second-opinion",
            help="Also list the kinds of paths that degrees do not explain, without the model.",
        ),
    ] = False,
    knowledge: Knowledge = None,
    server: Server = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Explain the score of (H, R, T) as the answer to (H, R, ?), and test the explanation."""
    out = Output(as_json, quiet)
    check_output(html)
    check_output(dot)
    if server is not None:
        refuse_with_server(knowledge=knowledge)

        remote, asked = Remote(server, run), {"head": head, "relation": relation, "tail": tail}
        found = remote.ask("explain", {**asked, "side": side, "seed": seed})
        explanation = remote.explanation(found)
        query = {**found["query"], "side": side, "seed": seed}
        opinion = remote.ask("second-opinion", query) if second_opinion else None
        show(out, explanation, opinion, html, dot)
        return
    estimator = with_book(open_run(run), knowledge)
    if side is not None and not estimator.asks_either_side:
        raise UsageError(
            f"method {estimator.method!r} is asked about both ends together, not about one side",
            remedy="leave out --side",
        )
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
