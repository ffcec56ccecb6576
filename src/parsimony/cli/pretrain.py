"""``parsimony pretrain``: train an encoder on unlabelled molecules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Mirror, Quiet, Seed, Settings, parse_settings
from parsimony.errors import UnknownParameter, suggest
from parsimony.stopping import interruptible

_KINDS = ("molecules",)


def command(
    kind: Annotated[str, typer.Argument(metavar="molecules", help="The encoder's input.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="ARTEFACT", help="Output folder [default: in the user's cache]."
        ),
    ] = None,
    settings: Settings = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Maximum number of epochs.")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option("--time-budget", metavar="20m", help="Maximum wall time.")
    ] = None,
    mirror: Mirror = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Train the molecular encoder without labels.

    If it is interrupted, repeat the command to continue.
    """
    output = Output(as_json, quiet)
    if kind not in _KINDS:
        raise UnknownParameter(
            f"nothing to pretrain for {kind!r}",
            remedy=suggest(kind, _KINDS) or "parsimony pretrain molecules",
        )
    from parsimony.molecules.encoder.pretraining import pretrain
    from parsimony.run.duration import parse_duration

    parameters: dict[str, Any] = {"seed": seed, **parse_settings(settings)}
    if epochs is not None:
        parameters["epochs"] = epochs
    budget = None if time_budget is None else parse_duration(time_budget)
    with interruptible("to continue, repeat the command"):
        summary = pretrain(out, parameters, time_budget=budget, mirror=mirror, quiet=quiet)
    losses = "  ".join(f"{name} {value:.4f}" for name, value in summary["losses"].items())
    output.result(
        summary,
        f"encoder of {summary['parameters']:,} parameters from {summary['molecules']:,} molecules, "
        f"{summary['epochs']} epochs, {summary['seconds']:.0f} s",
        f"losses:   {losses}",
        f"artefact: {summary['artefact']}",
    )
