"""``parsimony search``: search the structure that fits the data, within a budget."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.fit import default_run, kept
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
from parsimony.stopping import interruptible

_TRIALS = 50  # where no budget is given


def command(
    data: Data,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            metavar="bilinear|modulation",
            help="The search space [default: that of the data].",
        ),
    ] = None,
    task: Task = None,
    algorithm: Annotated[
        str,
        typer.Option(
            "--algorithm",
            metavar="greedy|evolution|random|exhaustive|supernet",
            help="The search algorithm.",
        ),
    ] = "greedy",
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            help=f"Maximum number of trials [default: {_TRIALS}, or by the time budget].",
        ),
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option("--time-budget", metavar="20m", help="Maximum wall time of all trials."),
    ] = None,
    train_budget: Annotated[
        str | None,
        typer.Option(
            "--train-budget", metavar="20m", help="Maximum wall time of each final training."
        ),
    ] = None,
    compare: Annotated[
        int,
        typer.Option(
            "--compare", min=0, help="How many named structures to train fully for comparison."
        ),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="Run folder [default: runs/DATA-search-SEED]."),
    ] = None,
    knowledge: Annotated[
        Path | None,
        typer.Option(
            "--knowledge",
            metavar="BOOK",
            help="A book of axioms (bilinear): relations that it calls symmetric are kept so, and "
            "only symbols that can do this well are tried.",
        ),
    ] = None,
    settings: Settings = None,
    engine: Engine = "local",
    address: Address = None,
    resume: Resume = False,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Search for the structure that fits the data, and train it.

    --space bilinear searches the scoring function of a graph, --space modulation how a new user's
    ratings modulate a predictor.
    Every trial is a row of RUN/search/trials.jsonl; only validation data are used. --set takes
    settings of the search (ladder=[[64,5],[128,20]], per_round, predictor …) and of the method
    (dim and epochs apply to the final trainings).
    """
    output = Output(as_json, quiet)
    parameters = parse_settings(settings)
    names = parse_columns(columns)
    from parsimony.run.duration import parse_duration
    from parsimony.search.settings import Budget

    seconds, each = (
        None if text is None else parse_duration(text) for text in (time_budget, train_budget)
    )
    if trials is None and seconds is None:
        trials = _TRIALS
    budget = Budget(trials=trials, seconds=seconds)
    from parsimony.cli.search_table import LiveTable
    from parsimony.run.engine import resolve_engine
    from parsimony.search.algorithms import resolve_algorithm
    from parsimony.search.request import SearchRequest
    from parsimony.search.run import run_search, space_for

    space = space_for(data, space, task)
    resolve_algorithm(algorithm)
    if engine == "ray" and space == "bilinear":
        parameters.setdefault("threads", 1)  # one CPU core per trial
    run = out or default_run(data, "search", seed)
    book = None
    if knowledge is not None:
        from parsimony.cli.fit import read_given

        book = read_given(knowledge, data, mirror, names, seed, output)
    where = resolve_engine(engine, address=address)
    try:
        with (
            interruptible(lambda: kept(run)),
            LiveTable(budget, space=space, quiet=quiet) as live,
        ):
            request = SearchRequest(
                data, out=run, budget=budget, space=space, algorithm=algorithm,
                settings=parameters, compare=compare, train_budget=each, engine=where,
                resume=resume, knowledge=book, mirror=mirror, columns=names, seed=seed, quiet=quiet,
                on_trial=live.show, on_searched=live.stop,
            )  # fmt: skip
            _, summary = run_search(request)
    finally:
        where.close()
    for note in summary["notes"]:
        if note.startswith("warning") or book is not None:
            output.note(note)
    parts_of = {"bilinear": _symbol_parts, "modulation": _formula_parts}[space]
    output.result(summary, *parts_of(summary, run), *_ending(summary))


def _symbol_parts(summary: dict[str, Any], run: Path) -> list[Any]:
    """Draw the finalists, and return the symbol found and the comparison."""
    from parsimony.knowledge.symbol import Symbol
    from parsimony.report.symbol_drawing import symbol_figure

    best, rows = summary["best"], summary["comparison"]
    symbol_figure({r["name"]: Symbol.parse(r["symbol"]) for r in rows}, run / "symbols.png")
    named = f" ({best['name']})" if best["name"] else ""
    cells = [
        [
            row["name"], row["parameters"], row["epochs"],
            *[_measure(row.get(split), "mrr", "") for split in ("valid", "test")],
            _measure(row.get("difference", {}).get("test"), "mrr", ""),
        ]
        for row in rows
    ]  # fmt: skip
    turned = []
    if best["name"] not in (None, summary["found"]):
        turned = [
            f"the search ranked {summary['found']} first; fully trained, {best['name']} is "
            "better on validation"
        ]
    return [
        f"best structure{named}: {best['symbol']}",
        Symbol.parse(best["symbol"]).text(),
        f"expresses: {', '.join(best['patterns'])}",
        *turned,
        "",
        table(
            ["finalist", "parameters", "epochs", "valid MRR", "test MRR", "best minus this, test"],
            cells,
        ),
    ]


def _formula_parts(summary: dict[str, Any], run: Path) -> list[Any]:
    """Return the found formula, how the finalists compare, and the ranking of all."""
    from parsimony.knowledge.formula import Formula

    best, measures = summary["best"], ("mse", "ndcg@5")
    named = f" ({best['name']})" if best["name"] else ""
    rows = []
    for row in summary["comparison"]:
        test, gap = row.get("test"), row.get("difference", {}).get("test", {})
        found = [
            {"mean": test["metrics"][name], "interval": test["interval"][name]}
            if test and name in test["metrics"] else None
            for name in measures
        ]  # fmt: skip
        rows.append([
            row["name"], row["operators"], row["skill"],
            *(_measure(each, "mean", "") for each in found),
            *(_measure(gap.get(name), "mean", "+") for name in measures),
        ])  # fmt: skip
    parts = [
        f"best formula{named}, {best['operators']} operators:",
        Formula.parse(best["formula"]).text(),
        "",
        table(
            ["finalist", "operators", "valid skill", "test mse", "test ndcg@5",
             "best minus this, mse", "ndcg@5"],
            rows,
        ),
    ]  # fmt: skip
    if ranking := summary["ranking"]:
        rows = [
            [r["operators"], r["best"], r["mean"], r["formula"]] for r in ranking["by_operators"]
        ]
        parts += [
            "",
            f"all {ranking['structures']:,} formulas on shared weights, in "
            f"{ranking['seconds']:.0f} s:",
            table(["operators", "best skill", "mean", "best formula"], rows),
        ]
    return parts


def _ending(summary: dict[str, Any]) -> list[str]:
    """What every search ends with: its cost, how good its short cuts were, and what comes next."""
    seconds, predictor = summary["seconds"], summary["predictor"]
    parts = [
        "",
        f"{summary['trials']} trials in {seconds['search']:.0f} s, final trainings "
        f"{seconds['final']:.0f} s, of which {seconds['training']:.0f} s for the best one",
    ]
    if predictor and predictor["rank_correlation"] is not None:
        lift = predictor["lift"]
        parts.append(
            f"predictor: rank correlation {predictor['rank_correlation']:.2f} over "
            f"{predictor['rounds']} rounds"
            + ("" if lift is None else f", {lift:+.4f} against choice by chance")
        )
    for rung in summary["rungs"]:
        if rung["rank_correlation"] is not None:
            parts.append(
                f"{rung['from']} against {rung['to']}: rank correlation "
                f"{rung['rank_correlation']:.2f} over {rung['structures']} structures"
            )
    return [
        *parts,
        f"run:   {summary['run']}",
        f"next:  parsimony evaluate {shlex.quote(summary['run'])}",
    ]


def _measure(value: dict[str, Any] | None, name: str, sign: str) -> str:
    """A mean with its interval."""
    if value is None:
        return ""
    low, high = value["interval"]
    return f"{value[name]:{sign}.4f} ({low:{sign}.4f} to {high:{sign}.4f})"
