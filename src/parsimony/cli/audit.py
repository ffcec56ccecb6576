"""``parsimony audit``: check a dataset before training."""

from __future__ import annotations

import inspect
from typing import Any

from parsimony.cli.command_group import Output
from parsimony.cli.options import Columns, Data, Json, Mirror, Quiet, Seed, Task, parse_columns
from parsimony.errors import UsageError


def command(
    data: Data,
    task: Task = None,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Count facts, find leaks; of a graph, evaluate the popularity baseline."""
    out = Output(as_json, quiet)
    given: dict[str, Any] = {"mirror": mirror, "columns": parse_columns(columns), "seed": seed}
    from parsimony.problems import PROBLEMS, can_read, kind_of, problem

    found = problem(task or kind_of(data) or "link")
    if not found.audit:
        able = [one.noun for one in PROBLEMS.values() if one.audit]
        raise UsageError(
            f"{data} holds {found.noun}; audit describes {' and '.join(able)}",
            remedy="--task link reads it as facts"
            if can_read("link", data)
            else "the notes of parsimony fit describe it",
        )
    module, load = found.part("audit"), found.part("load")
    taken = inspect.signature(load).parameters
    for name, word in (("columns", "--columns"), ("mirror", "--mirror")):
        if given[name] is not None and name not in taken:
            raise UsageError(f"{found.noun} are not loaded with {word}", remedy="leave it out")
    report = module.audit(load(data, **{k: v for k, v in given.items() if k in taken}))
    out.result(report, module.render(report))
