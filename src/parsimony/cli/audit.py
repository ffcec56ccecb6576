"""``parsimony audit``: check a dataset before training."""

from __future__ import annotations

from parsimony.cli.command_group import Output
from parsimony.cli.options import Columns, Data, Json, Mirror, Quiet, Seed, parse_columns


def command(
    data: Data,
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

    report = audit(load(data, mirror=mirror, columns=names, seed=seed))
    out.result(report, render(report))
