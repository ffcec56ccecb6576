"""``parsimony frontier``: whether knowledge beats scaling up, on these data."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Address,
    Columns,
    Data,
    Engine,
    Json,
    Mirror,
    Quiet,
    Resume,
    Seed,
    Settings,
    Task,
    parse_columns,
    parse_settings,
)
from parsimony.cli.tables import table
from parsimony.errors import InvalidParameter
from parsimony.stopping import BEGAN, interruptible
from parsimony.visible import visible

if TYPE_CHECKING:
    from parsimony.frontier.row import Row


def command(
    data: Data,
    axis: Annotated[
        str,
        typer.Option(
            "--axis", metavar="parameters|labels|compute|bits", help="What size is measured by."
        ),
    ] = "parameters",
    task: Task = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "--time-budget",
            metavar="3h",
            help="Wall time of everything, earlier parts included [default: no limit].",
        ),
    ] = None,
    sizes: Annotated[
        int | None, typer.Option("--sizes", min=1, help="At most so many sizes of a family.")
    ] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Seeds of each size.")] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=0, help="Trials of tuning of each size, the same for all."),
    ] = None,
    families: Annotated[
        list[str] | None,
        typer.Option("--family", metavar="NAME", help="Only these families; repeatable."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", metavar="SHARE", help="Shares of the labels; repeatable."),
    ] = None,
    thinned: Annotated[
        bool,
        typer.Option("--thin-graph", help="The walked graph loses the facts that labels lose."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="[default: runs/DATA-frontier-AXIS]"),
    ] = None,
    settings: Settings = None,
    engine: Engine = "local",
    address: Address = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run, and write nothing.")
    ] = False,
    resume: Resume = False,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Measure whether models driven by knowledge beat models that are scaled up, on these data.

    Both families are trained at several sizes with the same tuning; a law of the error against size
    says how much the one needs for the accuracy of the other, with its interval, for or against.
    FOLDER then holds frontier.toml (the protocol, written before the first run), frontier.json,
    frontier.csv, frontier.svg, frontier.png and the page frontier.html.
    """
    output = Output(as_json, quiet)
    options, names = parse_settings(settings), parse_columns(columns)
    shares = [_share(text) for text in labels] if labels else None
    from parsimony.cli.fit import default_run
    from parsimony.frontier.axes import require_axis
    from parsimony.frontier.frontier import run_frontier
    from parsimony.frontier.planning import planned
    from parsimony.frontier.request import FrontierRequest
    from parsimony.run.deadline import Deadline
    from parsimony.run.duration import parse_duration
    from parsimony.run.engine import resolve_engine

    along = require_axis(axis)
    folder = out or default_run(data, f"frontier-{axis}", seed, {})
    limit = Deadline(None if budget is None else parse_duration(budget), began=BEGAN)
    kept = f"what is done is in {folder}: repeat the command with --resume"
    where = resolve_engine(engine, address=address)
    try:
        request = FrontierRequest(
            data, folder, along, task=task, options=options, names=families, sizes=sizes,
            seeds=seeds, trials=trials, shares=shares, thinned=thinned, resume=resume,
            mirror=mirror, columns=names, budget=limit, engine=where, seed=seed,
            command=shlex.join(["parsimony", *sys.argv[1:]]), on_row=None if quiet else _say,
        )  # fmt: skip
        with interruptible(*[kept] * resume):
            plan = planned(request, estimate=dry_run)
        for line in plan.lines(limit):
            output.note(line)
        if dry_run:
            protocol = plan.protocol
            output.result(
                {
                    "runs": plan.n_runs, "trainings": plan.n_trainings, "seconds": plan.seconds,
                    "budget": limit.seconds if limit.limited else None,
                    "seeds": len(protocol.seeds), "trials": protocol.trials,
                    "protocol": protocol.hash, "folder": str(folder),
                    "families": protocol.families, "expected": protocol.expected,
                },
                f"nothing was written; the protocol's hash would be {protocol.hash[:12]}",
            )  # fmt: skip
            return
        with interruptible(kept):
            found = run_frontier(request, plan)
    finally:
        where.close()
    for note in found["notes"]:
        output.note(note)
    output.result(found, *_readable(found))


def _share(text: str) -> float:
    """Read a share of the labels: ``0.1`` or ``10%``.

    Raises
    ------
    InvalidParameter
        It is neither, or outside (0, 1].
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise InvalidParameter(
            f"a share of the labels is above 0 and at most 1. Got {text!r}",
            remedy="--labels 0.1, or --labels 10%",
        )
    return value


def _say(row: Row, behind: int, seconds: float | None) -> None:
    """A line for each run."""
    from parsimony.run.duration import spell_duration

    state = "" if row.status == "done" else f", {row.status}: {row.why}"
    of = "" if row.labels_share == 1 else f", {row.labels_share:.0%} of the labels"
    about = "" if seconds is None or not behind else f", at most {spell_duration(seconds)}"
    print(
        visible(
            f"{row.family} ({row.size}){of}, seed {row.seed}: {row.metric} {row.value:.4f}, "
            f"{row.parameters:,} parameters, {row.seconds:.1f} s{state}; {behind} runs to come"
            f"{about}"
        ),
        file=sys.stderr, flush=True,
    )  # fmt: skip


def _readable(found: dict[str, Any]) -> list[Any]:
    """The sentence, the equivalent scales, and where everything is."""
    parts: list[Any] = [found["sentence"], ""]
    for measure in found["measures"][:1]:
        rows = [
            [
                curve["family"], curve["side"], len(curve["points"]),
                f"{min(point['error'] for point in curve['points']):.4f}",
                *(("no power law", "") if curve.get("lawless")
                  else (_interval(curve.get("alpha")), _interval(curve.get("E")))),
            ]
            for curve in measure["curves"]
        ]  # fmt: skip
        parts += [
            table(["family", "side", "sizes", "least error on test", "α", "E"], rows), "",
            *(f"{each['says']}: {each['verdict']}" for each in measure["equivalent"]),
        ]  # fmt: skip
    counts = found["runs"]
    return [
        *parts,
        "",
        f"{counts['done']} of {counts['planned']} runs done in {found['seconds']:.0f} s",
        f"page:   {found['page']}",
        *([f"figure: {found['figure']}"] if found["figure"] else []),
        f"again:  {found['command']}",
    ]


def _interval(value: dict[str, Any] | None) -> str:
    if value is None:
        return ""
    low, high = value["interval"]
    return f"{value['value']:.3g} ({low:.3g} to {high:.3g})"
