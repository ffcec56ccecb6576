"""``parsimony serve``: trained runs behind a page and an HTTP interface."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, require_there
from parsimony.cli.remote import TOKEN


def command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="The --out folders of parsimony fit.")
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8765,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; other than this machine's own it needs --token.",
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            envvar=TOKEN,
            show_envvar=True,
            help="What every request has to bring.",
        ),
    ] = None,
    edits: Annotated[
        Path | None,
        typer.Option("--edits", metavar="FOLDER", help="Keep a person's edits of books there."),
    ] = None,
    fits: Annotated[
        Path | None,
        typer.Option(
            "--fits",
            metavar="FOLDER",
            help="Let the page start fits, which write their runs there [default: none].",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="4G",
            help="Most memory of each of these fits [default: a quarter of the machine's].",
        ),
    ] = None,
    frontier: Annotated[
        list[Path] | None,
        typer.Option(
            "--frontier",
            metavar="FOLDER",
            help="Show what parsimony frontier wrote there; may be repeated.",
        ),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Serve trained runs to a browser and to programs, from this machine, without the net."""
    out = Output(as_json, quiet)
    from parsimony.errors import NotAFile
    from parsimony.web.extra import require_web

    require_web()
    for run in runs:
        require_there(run)
    if edits is not None and edits.exists() and not edits.is_dir():
        raise NotAFile("the folder of edits is a file", remedy="name a folder", where=str(edits))
    from parsimony.base.memory import parse_memory
    from parsimony.web.serving import Serving

    most = None if memory is None else parse_memory(memory)
    serving = Serving.open(
        runs,
        host=host,
        port=port,
        token=token,
        edits=edits,
        fits=fits,
        memory=most,
        frontiers=frontier or [],
    )
    if open_page:
        serving.open_browser()
    out.result(
        {"address": serving.address, "api": f"{serving.base}/api/v1", "runs": serving.ids,
         "pid": os.getpid()},
        f"{len(serving.ids)} run{'s' * (len(serving.ids) > 1)} at {serving.address}",
        f"interface: {serving.base}/api/v1/docs",
        "Ctrl-C stops it.",
    )  # fmt: skip
    sys.stdout.flush()  # who started it reads the address
    serving.run()
