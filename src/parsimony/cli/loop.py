"""``parsimony loop``: mine, fit, distil, check, keep, and again with what was learned."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.completion import complete_method
from parsimony.cli.fit import default_run, kept
from parsimony.cli.options import (
    Columns,
    Data,
    Json,
    Mirror,
    Quiet,
    Resume,
    Seed,
    Settings,
    parse_columns,
    parse_settings,
)
from parsimony.cli.tables import table
from parsimony.stopping import BEGAN, interruptible

_BUDGET = "30m"


def command(
    data: Data,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds at most.")] = 3,
    budget: Annotated[
        str,
        typer.Option(
            "--budget", "--time-budget", metavar=_BUDGET,
            help="Wall time of everything, over all resumptions.",
        ),
    ] = _BUDGET,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            help="The model that is fitted and distilled [default: redgnn, or complex where the "
            "graph is too large for the time].",
            autocompletion=complete_method,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="Run folder [default: runs/DATA-loop-SEED]."),
    ] = None,
    settings: Settings = None,
    knowledge: Annotated[
        Path | None,
        typer.Option(
            "--knowledge", metavar="BOOK",
            help="What is known before the first round; what you state is never dropped.",
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, or cuda.")] = "cpu",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it will do and take.")
    ] = False,
    resume: Resume = False,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Learn rules and a model of a graph from each other, round after round.

    Each round fits a model with the rules known so far, distils it to rules, checks every rule on
    held-out facts and keeps what holds. It ends where a round brings nothing. RUN is then the best
    round's run, with the page loop.html and the book knowledge.toml.
    """
    output = Output(as_json, quiet)
    parameters, names = parse_settings(settings), parse_columns(columns)
    from parsimony.run.duration import parse_duration

    seconds = parse_duration(budget)
    from parsimony.answers import as_notes
    from parsimony.problems import require_kind
    from parsimony.report.loop import loop_page
    from parsimony.run.seeds import seed_of
    from parsimony.search.rounds import LoopRequest, loop
    from parsimony.search.rounds.request import LoopPlan, plan_of

    require_kind("link", data, "loop", None)
    book = None
    if knowledge is not None:
        from parsimony.cli.fit import read_given

        book = read_given(knowledge, data, mirror, names, seed, output)
    run = out or default_run(data, "loop", parameters.get("seed", seed), parameters)
    request = LoopRequest(
        data, run, rounds=rounds, seconds=seconds, began=BEGAN, method=method, settings=parameters,
        knowledge=book, device=device, resume=resume, mirror=mirror, columns=names,
        seed=seed_of(parameters, seed), quiet=quiet,
    )  # fmt: skip
    if dry_run:
        from parsimony.link.task import LinkTask

        task = LinkTask.open(data, parameters, mirror=mirror, columns=names, seed=request.seed)
        plan = plan_of(request, task)
        output.result(plan.as_dict(), *plan.lines())
        return

    def announce(plan: LoopPlan) -> None:
        for line in plan.lines():
            output.note(line)

    with interruptible(lambda: kept(run)):
        _, summary = loop(request, on_plan=announce)
        page = run / "loop.html"
        output.files({page: loop_page(summary)})
    for note in as_notes(summary["notes"]):
        output.note(note)
    output.result(summary | {"page": str(page)}, *_readable(summary))


def _readable(summary: Mapping[str, Any]) -> list[Any]:
    rows = []
    for row in summary["rounds"]:
        gain = row.get("gain")
        better = f"{gain['by']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})" if gain else ""
        low, high = row["interval"]
        distilled = row["distilled"]
        rows.append([
            f"{row['round']}{' *' if row['round'] == summary['best'] else ''}",
            row["rules"], row["axioms"],
            f"{row['mrr']:.4f} ({low:.4f} to {high:.4f})", f"{row['alone']:.4f}",
            "" if row["rules_alone"] is None else f"{row['rules_alone']:.4f}",
            better,
            "" if distilled is None else distilled["fidelity"]["rules"],
            f"+{row['n_new']:,} −{row['n_dropped']:,}", f"{row['seconds']:.1f}",
        ])  # fmt: skip
    run = str(summary["run"])
    test = "  ".join(f"{name} {value:.4f}" for name, value in summary["test"].items())
    return [
        table(
            ["round", "rules", "axioms", "MRR with them", "model alone", "rules alone",
             "better than before", "distilled to", "entries", "seconds"],
            rows,
        ),
        "",
        summary["sentence"],
        summary["ended_words"],
        *[f"test: {test}"] * bool(test),
        f"{summary['seconds']:.0f} of {summary['budget']:.0f} s",
        f"run:   {run}",
        f"next:  parsimony knowledge show {shlex.quote(run)}",
    ]  # fmt: skip
