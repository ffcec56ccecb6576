"""The page of all commands, from what the program says of itself; ``docs/conf.py`` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

HEAD = """# Commands

`parsimony COMMAND --help` says the same. Every command takes `--json` (exactly one object on
stdout), `--seed` and `--quiet`. Exit codes: 0 done, 1 failed, 2 wrong usage or input,
130 interrupted, 143 terminated.
"""


def commands_page() -> str:
    """The page as Markdown."""
    from typer.main import get_command

    from parsimony.cli import app

    return "\n".join([HEAD, *_described("parsimony", get_command(app), 1)]) + "\n"


def _described(name: str, command: Any, level: int) -> Iterator[str]:
    if level > 1:
        yield f"{'#' * level} `{name}`\n"
        yield _text(command.help) + "\n"
    for inner, found in sorted(getattr(command, "commands", {}).items()):
        yield from _described(f"{name} {inner}", found, level + 1)
    if not hasattr(command, "commands"):
        for parameter in command.params:
            if parameter.name == "help" or getattr(parameter, "hidden", False):
                continue
            names = ", ".join(f"`{option}`" for option in parameter.opts)
            if parameter.param_type_name == "argument":
                names = f"`{parameter.metavar or str(parameter.name).upper()}`"
            yield f"- {names}: {_text(getattr(parameter, 'help', '') or '')}"
        yield ""


def _text(help_text: str | None) -> str:
    """Help as one paragraph, with nothing that Markdown would take for its own."""
    text = " ".join((help_text or "").replace("\b", " ").replace("\f", " ").split())
    return re.sub(r"([\\*_<>\[\]|`#])", r"\\\1", text)
