"""``parsimony evaluate``: evaluate a run on a split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Address,
    Engine,
    Json,
    Knowledge,
    Quiet,
    Run,
    Seed,
    Settings,
    Split,
    Workers,
    is_spread,
    open_run,
    spread,
    with_book,
)
from parsimony.cli.table_files import check_table
from parsimony.errors import UsageError


def command(
    run: Run,
    split: Split = "test",
    knowledge: Knowledge = None,
    settings: Settings = None,
    ranks: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The rank of every answer, as .parquet, .csv or .tsv; after a kill the same "
            "command goes on.",
        ),
    ] = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = 1,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Evaluate a run on a split.

    Link prediction: filtered rank among all entities, for head and tail queries. With a book the
    relations whose entries differ from the run's own are also measured without the change.
    """
    out = Output(as_json, quiet)
    check_table(ranks)
    apart = ranks is not None or is_spread(engine, address, workers)
    if apart and knowledge is not None:
        raise UsageError(
            "--out, --engine, --address and --workers are for a run without a book",
            remedy="leave them out",
        )
    before = open_run(run, "link" if apart else None)
    estimator = with_book(before, knowledge, settings)
    if apart:
        from parsimony.cli.ranking import evaluate_in_shards

        with spread(engine, address, workers, ranks) as where:
            result = evaluate_in_shards(
                estimator, run, split, seed=seed, engine=where, out=ranks, quiet=quiet
            )
    else:
        result = estimator.evaluate(split, seed=seed, quiet=quiet)
    from parsimony.cli.tables import changes_table, metrics_table

    if knowledge is not None:
        from parsimony.link.guidance.changes import changes

        result["changed"] = changes(before, estimator, split)
    out.result(result, *metrics_table(result), *changes_table(result.get("changed")))
