"""``parsimony datasets``: the registered datasets, their location and their licence."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Mirror, Quiet, Seed
from parsimony.errors import UsageError, suggest

_ACTIONS = ("list", "show", "get")


def command(
    action: Annotated[
        str, typer.Argument(metavar="[list|show|get]", help="What to do.", show_default=False)
    ] = "list",
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A registered dataset.")
    ] = None,
    mirror: Mirror = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """List the registered datasets, show one or download it."""
    out = Output(as_json, quiet)
    if action not in _ACTIONS:
        raise UsageError(
            f"unknown action {action!r}",
            remedy=suggest(action, _ACTIONS) or "use list, show NAME or get NAME",
        )
    if (action == "list") != (name is None):
        raise UsageError(
            "list takes no name" if name is not None else f"{action} takes a dataset's name",
            remedy=f"parsimony datasets {'show' if name is not None else action} {name or 'NAME'}",
        )
    from parsimony import datasets

    if name is None:
        _list(out, [datasets.info(known) for known in datasets.names()])
    elif action == "show":
        info = datasets.info(name)
        out.result(info, _pairs(info))
    else:
        got = datasets.get(name, mirror=mirror)
        out.result(got, _pairs(got))


def _list(out: Output, infos: list[dict[str, Any]]) -> None:
    from parsimony.cli.tables import table

    rows = [[i["name"], i["kind"], "yes" if i["available"] else "no", i["summary"]] for i in infos]
    out.result(
        {"datasets": infos},
        table(["name", "kind", "found", "what"], rows),
        "\nlicence and location of a dataset: parsimony datasets show NAME",
    )


def _pairs(values: dict[str, Any]) -> str:
    width = max(map(len, values))
    return "\n".join(f"{key:<{width}}  {value or '–'}" for key, value in values.items())
