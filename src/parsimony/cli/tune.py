"""``parsimony tune``: tune the hyper-parameters of a method within a budget."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.completion import complete_method
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
from parsimony.cli.search_table import LiveTable
from parsimony.cli.tables import table
from parsimony.stopping import BEGAN, interruptible

if TYPE_CHECKING:
    from parsimony.search.trial import Trial

_BUDGET = "30m"  # where none is given


def command(
    data: Data,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="The method; parsimony methods NAME says what of it is tuned.",
            autocompletion=complete_method,
        ),
    ],
    task: Task = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            "--time-budget",
            metavar=_BUDGET,
            help="Wall time of everything: trials, last trainings and their ranking [default: "
            f"{_BUDGET}, or by the trials].",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Maximum number of trials.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="Run folder [default: runs/DATA-METHOD-tune-SEED]."
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
    """Tune the hyper-parameters of a method, and train it with the best.

    The defaults are tried first; what is given by --set is not tuned. Every trial is a row of
    RUN/search/trials.jsonl; only validation data are used. RUN is then a run like any other, and
    the last line of the output repeats its training.
    """
    output = Output(as_json, quiet)
    parameters = parse_settings(settings)
    names = parse_columns(columns)
    from parsimony.run.duration import parse_duration
    from parsimony.search.settings import Budget

    if budget is None and trials is None:
        budget = _BUDGET
    limits = Budget(trials=trials, seconds=None if budget is None else parse_duration(budget))
    from parsimony.answers import as_notes
    from parsimony.methods import resolve
    from parsimony.problems import require_kind
    from parsimony.run.engine import resolve_engine
    from parsimony.search.tune import TuneRequest, run_tune

    require_kind(resolve(method).kind, data, f"tune --method {method}", task)
    run = out or default_run(data, f"{method}-tune", parameters.get("seed", seed), parameters)
    where = resolve_engine(engine, address=address)
    try:
        with (
            interruptible(lambda: kept(run)),
            SettingsTable(limits, quiet=quiet) as live,
        ):
            request = TuneRequest(
                data, method, out=run, budget=limits, settings=parameters, engine=where,
                resume=resume, mirror=mirror, columns=names, seed=seed, quiet=quiet,
                begun=BEGAN, on_plan=output.note, on_trial=live.show, on_searched=live.stop,
            )  # fmt: skip
            _, summary = run_tune(request)
    finally:
        where.close()
    for note in as_notes(summary["notes"]):
        output.note(note)
    output.result(summary, *_readable(summary))


class SettingsTable(LiveTable):
    """The live table of a tuning: the best trials, each by what differs from the defaults."""

    figure = "figure"

    def rows(self, ranked: list[Trial]) -> tuple[list[str], list[list[Any]]]:
        """Return the columns, and a row of each trial."""
        from parsimony.search.method_trial import settings_of

        default = settings_of(self._trials[0]) if self._trials else {}
        rows: list[list[Any]] = []
        for trial in ranked:
            own = settings_of(trial)
            changed = {name: value for name, value in own.items() if value != default.get(name)}
            rows.append([_words(changed), trial.valid, trial.ran, trial.seconds, trial.origin])
        return ["settings", "valid", "epochs", "seconds", "by"], rows


def _words(settings: dict[str, Any]) -> str:
    """Settings as ``--set`` takes them."""
    from parsimony.decoding.strict_json import json_text

    return (
        " ".join(
            f"{name}={value if isinstance(value, str) else json_text(value)}"
            for name, value in settings.items()
        )
        or "the defaults"
    )


def _readable(summary: dict[str, Any]) -> list[Any]:
    """What was found, how it compares with the defaults, what it cost, and how to repeat it."""
    rows, seconds = summary["comparison"], summary["seconds"]
    better = (
        ""
        if summary["best"] != "default" or len(rows) < 2
        else ("; trained to the end, the defaults are better on validation and were kept")
    )
    parts: list[Any] = [
        f"{summary['method']}: {_words(rows[0]['settings'])}{better}",
        "",
        table(
            ["trained to the end", "parameters", "epochs", "seconds",
             f"valid {summary['selected_by']}"],
            [[row["name"], row["parameters"], row["epochs"], round(float(row["seconds"]), 1),
              row["figure"]] for row in rows],
        ),
    ]  # fmt: skip
    measures = [
        [
            f"{split} {summary['measure']}",
            *[row.get(split, {}).get(summary["measure"], "") for row in rows[::-1]],
            f"{gap['difference']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})",
        ]
        for split, gap in summary["difference"].items()
    ]
    if measures:
        parts += ["", table(["measure", "default", "tuned", "tuned is better by"], measures)]
    return [
        *parts,
        "",
        f"{summary['trials']} trials in {seconds['search']:.0f} s, last trainings "
        f"{seconds['final']:.0f} s, {seconds['all']:.0f} s in all",
        f"run:   {summary['run']}",
        f"next:  parsimony evaluate {shlex.quote(summary['run'])}",
        f"again: {summary['line']}",
    ]
