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
    accept_terms: Annotated[
        bool,
        typer.Option("--accept-terms", help="Agree to the terms of its source, which show names."),
    ] = False,
    mirror: Mirror = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """List the registered datasets, show one or fetch it."""
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
        got = datasets.get(name, mirror=mirror, agreed=accept_terms)
        out.result(got, _pairs(got))


def _list(out: Output, infos: list[dict[str, Any]]) -> None:
    from parsimony.cli.tables import table

    rows = [[i["name"], i["kind"], _had(i), i["summary"]] for i in infos]
    out.result(
        {"datasets": infos},
        table(["name", "kind", "here", "what"], rows),
        "\nhere: yes; its size where it is fetched from its public source on first use; terms "
        "where you\nmust agree to its terms first; ask where it must be asked for. Source, licence "
        "and location:\nparsimony datasets show NAME",
    )


def _had(info: dict[str, Any]) -> str:
    """Whether a dataset is on this machine, or how it can be had."""
    recipe = info["recipe"]
    if info["available"] or recipe is None:
        return "yes" if info["available"] else "no"
    if recipe["obtain"] or recipe["terms"]:
        return "ask" if recipe["obtain"] else "terms"
    return f"{recipe['megabytes']:g} MB" if recipe["megabytes"] else "fetch"


def _pairs(values: dict[str, Any]) -> str:
    recipe = values.get("recipe")
    plain = {key: value for key, value in values.items() if key != "recipe"}
    for key, value in (recipe or {}).items():
        if key == "files":
            plain["files"] = "\n".join(
                f"{url}  {f'sha256 {sum_[:16]}…' if sum_ else 'checksum taken on first use'}"
                for url, sum_ in value.items()
            )
        elif value:
            plain[key] = ", ".join(value) if isinstance(value, list) else value
    width = max(map(len, plain))
    lines = []
    for key, value in plain.items():
        head, *rest = str(value or "–").split("\n")
        lines += [f"{key:<{width}}  {head}", *(f"{'':<{width}}  {line}" for line in rest)]
    return "\n".join(lines)
