"""``parsimony evaluate``: evaluate a run on a split."""

from __future__ import annotations

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Json,
    Knowledge,
    Quiet,
    Run,
    Seed,
    Settings,
    Split,
    open_run,
    with_book,
)


def command(
    run: Run,
    split: Split = "test",
    knowledge: Knowledge = None,
    settings: Settings = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Evaluate a run on a split.

    Link prediction: filtered rank among all entities, for head and tail queries. With a book the
    relations whose entries differ from the run's own are also measured without the change.
    """
    out = Output(as_json, quiet)
    before = open_run(run)
    estimator = with_book(before, knowledge, settings)
    result = estimator.evaluate(split, seed=seed, quiet=quiet)
    from parsimony.cli.tables import changes_table, metrics_table

    if knowledge is not None:
        from parsimony.link.guidance.changes import changes

        result["changed"] = changes(before, estimator, split)
    out.result(result, *metrics_table(result), *changes_table(result.get("changed")))
