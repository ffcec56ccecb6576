"""``parsimony ddi``: questions about drug pairs to a fitted run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.frame import Frame, Output, interruptible
from parsimony.cli.options import Json, Quiet, Run, Seed, Top, open_run
from parsimony.cli.tables import table

app = typer.Typer(
    cls=Frame,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask a run about drug-drug interactions.",
)

NOTE = "Uncalibrated; for research, not for clinical use."


@app.command("predict")
def predict(
    run: Run,
    drugs: Annotated[
        list[str], typer.Option("--drug", metavar="A", help="Id, DrugBank id or name; twice.")
    ],
    top: Top = 5,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Say how two drugs interact, both orders scored."""
    from parsimony.errors import UsageError

    output = Output(as_json, quiet)
    if len(drugs) != 2:
        raise UsageError(
            f"a pair is two drugs. Got {len(drugs)}", remedy="--drug warfarin --drug aspirin"
        )
    estimator = open_run(run, "ddi")
    with interruptible():
        result = estimator.predict(drugs[0], drugs[1], top=top)
    rows = [[a["probability"], a["text"]] for a in result["answers"]]
    known = [f"known ({fact['split']}): {fact['text']}" for fact in result["known"]]
    output.result(result, table(["probability", "interaction"], rows), *known, NOTE)


@app.command("ensemble")
def ensemble(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Finished runs.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The ensemble's run folder.")],
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Average the probabilities of finished runs of the same pairs, as a run of its own."""
    from parsimony.fitting import write_run
    from parsimony.pairs.ensemble import PairEnsemble

    output = Output(as_json, quiet)
    with interruptible():
        estimator = PairEnsemble.of_runs(runs)
        summary = write_run(estimator, out, quiet=quiet)
    valid = "  ".join(f"{name} {value:.4f}" for name, value in summary["valid"].items())
    output.result(
        summary,
        f"{len(runs)} members, {summary['parameters']:,} parameters",
        f"valid: {valid or 'no validation pairs'}",
        f"run:   {summary['run']}",
    )
