"""``parsimony audit``: check a dataset before training."""

from __future__ import annotations

from parsimony.cli.command_group import Output, interruptible
from parsimony.cli.options import Columns, Data, Json, Mirror, Quiet, Seed, Task, parse_columns


def command(
    data: Data,
    task: Task = None,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Count facts, find leaks, evaluate the popularity baseline."""
    out = Output(as_json, quiet)
    names = parse_columns(columns)
    from parsimony.link.audit import audit, render
    from parsimony.link.loading import load
    from parsimony.problems import require_kind

    require_kind("link", data, "audit", task)
    with interruptible():
        report = audit(load(data, mirror=mirror, columns=names, seed=seed))
    out.result(report, render(report))
