"""``parsimony evaluate``: measure a run on a split."""

from __future__ import annotations

from parsimony.cli.frame import Output, interruptible
from parsimony.cli.options import Json, Quiet, Run, Seed, Split, open_run


def command(
    run: Run,
    split: Split = "test",
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Measure a run on a split.

    Every answer is ranked among all entities, filtered, for heads and tails.
    """
    out = Output(as_json, quiet)
    estimator = open_run(run)
    with interruptible():
        result = estimator.evaluate(split, seed=seed, quiet=quiet)
    from parsimony.cli.tables import metrics_table

    out.result(result, *metrics_table(result))
