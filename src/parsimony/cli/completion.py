"""What the Tab key proposes: datasets, methods, kinds of problem and the names for ``--set``.

``parsimony --install-completion`` switches it on for a shell; verbs and options need nothing here.
"""

from __future__ import annotations

import typer

from parsimony.errors import ParsimonyError
from parsimony.methods import OURS, names, resolve

__all__ = ["complete_data", "complete_method", "complete_setting", "complete_task"]


def complete_data(incomplete: str) -> list[str]:
    """Registered datasets; where none fits, the shell proposes files."""
    from parsimony.datasets import registry

    return [name for name in registry.names() if name.startswith(incomplete)]


def complete_method(ctx: typer.Context, incomplete: str) -> list[str]:
    """Methods, of the kind of problem that is named already."""
    kind = ctx.params.get("task")
    found = names(kind if kind in OURS else None)
    return [name for name in found if name.startswith(incomplete)]


def complete_task(incomplete: str) -> list[str]:
    """Kinds of problem."""
    return [kind for kind in OURS if kind.startswith(incomplete)]


def complete_setting(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Parameters of the method that is named, or of the one that the data get, with their help."""
    from parsimony.problems import method_for, problem

    try:
        method = ctx.params.get("method") or method_for(
            ctx.params.get("data") or "", kind=ctx.params.get("task")
        )
        cls = resolve(method)
    except ParsimonyError:
        return []
    declared = (cls.Parameters, problem(cls.kind).part("task").Options)
    fields = {name: field for part in declared for name, field in part.model_fields.items()}
    return [
        (f"{name}=", field.description or "")
        for name, field in fields.items()
        if name.startswith(incomplete)
    ]
