"""``parsimony methods``: the registered methods, and the parameters of one."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.completion import complete_method, complete_task
from parsimony.cli.options import Json, Quiet, Seed
from parsimony.cli.tables import table
from parsimony.decoding.strict_json import json_text


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A method whose parameters to list.",
            autocompletion=complete_method,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="KIND",
            help="Only methods for link, ddi, molecules, …",
            autocompletion=complete_task,
        ),
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """List the methods, or the parameters of one."""
    from parsimony.methods import names, resolve
    from parsimony.problems import problem

    out = Output(as_json, quiet)
    if name is None:
        kind = None if task is None else problem(task).kind
        found = [_about(method) for method in names(kind)]
        keys = ("method", "problem", "parameters", "paper", "summary")
        out.result({"methods": found}, table(keys, [[row[key] for key in keys] for row in found]))
        return
    cls = resolve(name)
    parameters, options = (
        declared.described()
        for declared in (cls.Parameters, problem(cls.kind).part("task").Options)
    )
    about = _about(name) | {"parameters": parameters, "options": options}
    out.result(
        about,
        f"{name} ({about['problem']}): {about['summary']}",
        *([f"source: {about['paper']}"] if about["paper"] else []),
        _settings("--set", parameters),
        *([_settings("--set of the task", options)] if options else []),
    )


def _settings(title: str, described: list[dict[str, Any]]) -> Any:
    """Return the table of parameters: one that has no default is chosen by the data, or unused."""
    rows = [
        [row["name"], row["type"], row["range"], _as_typed(row["default"]), row["help"]]
        for row in described
    ]
    columns = [title, "type", "range", "default", "meaning"]
    if any(row["tuned"] for row in described):
        columns.insert(4, "tune tries")
        for cells, row in zip(rows, described, strict=True):
            cells.insert(4, row["tuned"])
    return table(columns, rows)


def _as_typed(value: Any) -> str:
    """Return a default as ``--set`` takes it."""
    return "none" if value is None else value if isinstance(value, str) else json_text(value)


def _about(method: str) -> dict[str, Any]:
    """Return one row of the list."""
    from parsimony.methods import resolve

    cls = resolve(method)
    summary = (inspect.getdoc(cls) or "").partition("\n")[0]
    return {
        "method": method,
        "problem": cls.kind,
        "parameters": len(cls.Parameters.model_fields),
        "paper": cls.paper,
        "summary": summary.rstrip("."),
    }
