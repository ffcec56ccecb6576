"""``parsimony mcp``: trained runs as tools for assistants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Quiet, require_there


def command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="The --out folders of parsimony fit.")
    ],
    quiet: Quiet = False,
) -> None:
    """Offer trained runs as seven read-only tools over the Model Context Protocol, on stdio."""
    from parsimony.web.extra import require_mcp

    require_mcp()
    for run in runs:
        require_there(run)
    from parsimony.web.tools import make_server

    server = make_server(runs)
    Output(False, quiet).note(f"{len(runs)} run{'s' * (len(runs) > 1)}: tools on stdio")
    server.run("stdio")
