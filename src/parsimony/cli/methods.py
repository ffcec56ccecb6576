"""``parsimony methods``: the registered methods, and the parameters of one."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Seed
from parsimony.cli.tables import table


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A method whose parameters to list.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="KIND", help="Only methods for link, ddi, molecules, …"),
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
    parameters = _fields(cls.Parameters)
    options = _fields(problem(cls.kind).part("task").Options)
    about = _about(name) | {"parameters": parameters, "options": options}
    rows = [[row["name"], row["default"], row["help"]] for row in parameters]
    more = [[row["name"], row["default"], row["help"]] for row in options]
    out.result(
        about,
        f"{name} ({about['problem']}): {about['summary']}",
        *([f"source: {about['paper']}"] if about["paper"] else []),
        table(["--set", "default", "meaning and limits"], rows),
        *([table(["--set of the task", "default", "meaning and limits"], more)] if more else []),
    )


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


def _fields(parameters: Any) -> list[dict[str, Any]]:
    """Return name, default and help of every declared parameter."""
    return [
        {
            "name": name,
            "default": field.get_default(call_default_factory=True, validated_data={}),
            "help": field.description or "",
        }
        for name, field in parameters.model_fields.items()
    ]
