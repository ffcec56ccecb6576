"""The command line: one file per verb, heavy imports inside the commands.

``parsimony --help`` must respond at once, so nothing here imports NumPy, torch or Polars.
"""

from __future__ import annotations

from typing import Annotated

import typer

from parsimony.cli import (
    adapt,
    apply,
    assistant,
    audit,
    card,
    compare,
    datasets,
    ddi,
    demo,
    distil,
    doctor,
    evaluate,
    explain,
    export,
    fit,
    frontier,
    ingest,
    knowledge,
    loop,
    methods,
    predict,
    pretrain,
    report,
    rules,
    runs,
    search,
    serve,
    tune,
)
from parsimony.cli.command_group import CommandGroup
from parsimony.stopping import run
from parsimony.version import __version__

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _name, _verb in {
    "demo": demo,
    "datasets": datasets,
    "ingest": ingest,
    "audit": audit,
    "methods": methods,
    "fit": fit,
    "evaluate": evaluate,
    "predict": predict,
    "explain": explain,
    "export": export,
    "rules": rules,
    "apply": apply,
    "distil": distil,
    "loop": loop,
    "search": search,
    "tune": tune,
    "frontier": frontier,
    "pretrain": pretrain,
    "adapt": adapt,
    "report": report,
    "card": card,
    "compare": compare,
    "runs": runs,
    "serve": serve,
    "mcp": assistant,
    "doctor": doctor,
}.items():
    app.command(_name)(_verb.command)
app.add_typer(knowledge.app, name="knowledge")
app.add_typer(ddi.app, name="ddi")


def _version(shown: bool) -> None:
    if shown:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From a graph to answers with reasons. Start with: parsimony demo"""  # noqa: D400


def main() -> None:
    """What :func:`parsimony.__main__.main` does, after the imports of this package."""
    run(app)
