"""``parsimony evaluate``: evaluate a run on a split."""

from __future__ import annotations

from parsimony.cli.command_group import Output
from parsimony.cli.options import Json, Quiet, Run, Seed, Split, open_run


def command(
    run: Run,
    split: Split = "test",
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Evaluate a run on a split.

    Link prediction: filtered rank among all entities, for head and tail queries.
    """
    out = Output(as_json, quiet)
    estimator = open_run(run)
    result = estimator.evaluate(split, seed=seed, quiet=quiet)
    from parsimony.answers import as_notes
    from parsimony.cli.tables import metrics_table

    out.result(result, *metrics_table(result), *as_notes(result.get("notes", ())))
