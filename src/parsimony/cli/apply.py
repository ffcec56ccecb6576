"""``parsimony apply``: predict with rules alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Columns,
    Head,
    Json,
    Mirror,
    Quiet,
    Relation,
    Seed,
    Settings,
    Split,
    Tail,
    Task,
    Top,
    open_run,
    parse_columns,
    parse_settings,
)
from parsimony.cli.partial import Unknown
from parsimony.cli.predict import Candidates, DropKnown, answer, check_query, read_candidates


def command(
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="A file of rules, as parsimony rules writes.")
    ],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A registered name, folder, file, or a run.")
    ],
    split: Split = "test",
    head: Head = None,
    tail: Tail = None,
    relation: Relation = None,
    top: Top = 10,
    candidates: Candidates = None,
    drop_known: DropKnown = False,
    settings: Settings = None,
    task: Task = None,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Predict with rules alone.

    Evaluates them on a split, against the rules of DATA where it is a run of rules; with
    --relation and --head or --tail, answers a query with them.
    """
    out = Output(as_json, quiet)
    asked = head is not None or tail is not None or relation is not None
    if asked:
        check_query(head, relation, tail)
    parameters = {"seed": seed} | parse_settings(settings)
    names = parse_columns(columns)
    from parsimony.knowledge.sources import read_knowledge

    given = read_knowledge(rules).rules
    protocol = str(parameters.get("protocol", "redgnn"))
    opened, before = _open(data, task, mirror, names, seed, protocol)
    from parsimony.link.rules.method import RuleReasoner

    reasoner = RuleReasoner(**parameters).fit(opened, knowledge=given, quiet=quiet)
    if asked:
        unknown = Unknown()
        allowed = None
        if candidates is not None:
            allowed = read_candidates(candidates, reasoner, unknown)
        answer(out, reasoner, head, relation, tail, top, allowed, drop_known, unknown)
        unknown.exit()
        return
    result = reasoner.evaluate(split, quiet=quiet)
    from parsimony.cli.tables import changes_table, metrics_table

    changed = None
    if before is not None and before.takes_knowledge:
        from parsimony.link.guidance.changes import changes

        changed = result["changed"] = changes(before, reasoner, split)
    out.result(
        {**result, "rules": len(given)},
        f"{len(given):,} rule{'s' * (len(given) != 1)}",
        *metrics_table(result),
        *changes_table(changed),
    )


def _open(
    data: str,
    task: str | None,
    mirror: str | None,
    columns: tuple[str, str, str] | None,
    seed: int,
    protocol: str,
) -> tuple[Any, Any]:
    """Return the task of a dataset and None, or that which a run was trained on and the run."""
    from parsimony.link.loading import load
    from parsimony.link.task import LinkTask
    from parsimony.problems import require_kind

    if (Path(data) / "config.toml").is_file():
        run = open_run(Path(data), "link")
        return run.task_, run
    require_kind("link", data, "apply", task)
    return LinkTask(load(data, mirror=mirror, columns=columns, seed=seed), protocol), None
