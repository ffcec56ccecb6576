"""Adapt a run to many tasks, a file of each in two folders, in shards that can be resumed."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from parsimony.cli.model_shards import ModelShards, digest, holds, join_shards, parquet_bytes
from parsimony.errors import UsageError
from parsimony.run.engine import Engine
from parsimony.run.shards import shards_of

__all__ = ["adapt_all", "tasks_of"]

Rows = Iterable[tuple[Any, ...]]
_LISTED = 5  # of what is noted on tasks


def tasks_of(support: Path, predict: Path) -> dict[str, tuple[Path, Path]]:
    """Return the files of each task by its name, that of both files.

    Raises
    ------
    UsageError
        A task has but one file, or there is none.
    """
    folders = support, predict
    given, asked = ({p.stem: p for p in sorted(folder.glob("*.csv"))} for folder in folders)
    if not given or given.keys() != asked.keys():
        alone = ", ".join(sorted(given.keys() ^ asked.keys())[:5]) or "no file"
        raise UsageError(
            f"every task has a file in both folders, by the same name. Got {alone}",
            remedy="put NAME.csv into both, for every task",
            where=str(support),
        )
    return {name: (given[name], asked[name]) for name in given}


def adapt_all(
    estimator: Any, run: Path, tasks: dict[str, Any], out: Path, *,
    rows_of: Callable[..., tuple[Rows, list[str]]], schema: dict[str, Any], options: dict[str, Any],
    files: Iterable[Path], engine: Engine, quiet: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Write the predictions of all tasks into one table: the task, ``schema``, notes on the task.

    Parameters
    ----------
    tasks
        What is known and asked, by name.
    rows_of
        Called with the estimator, a task and the options, it gives rows and notes; of a module, so
        that it can be sent.
    files
        From which tasks were read: another command's shards are told apart by their contents and
        names.

    Returns
    -------
    dict
        ``out, tasks, predictions, resumed``: how many, and of the tasks by an earlier such command;
        ``notes``, the most frequent.

    Raises
    ------
    RunExists, CannotWrite
        See :func:`parsimony.run.shards.shards_of`.
    """
    columns = {"task": pl.String, **schema, "notes": pl.String}
    adapting = ModelShards(
        estimator, run, partial(_adapted, rows_of=rows_of, schema=columns, options=options),
        [{"name": name, "task": task} for name, task in tasks.items()],
        [f"{i:08d}.parquet" for i in range(len(tasks))], [1] * len(tasks),
    )  # fmt: skip
    identity = {
        "model": digest((run / "checksums.json").read_bytes()), **options,
        "tasks": digest("\n".join(f"{digest(p.read_bytes())} {p.name}" for p in files).encode()),
    }  # fmt: skip
    resumed, told = 0, Counter[str]()
    with shards_of(out, identity) as shards:
        done = adapting.done(engine, shards, holds(columns), "adapting", quiet=quiet)
        for _, content, there in done:
            resumed += there
            told.update(pl.read_parquet(io.BytesIO(content))["notes"].head(1).drop_nulls())
        n = join_shards(shards, adapting.names, out)
    first = sorted(told, key=lambda said: (-told[said], said))[:_LISTED]
    notes = [f"{told[said]:,} of {len(tasks):,} tasks: {said}" for said in first]
    notes += ["other notes: see the table"] * (len(told) > _LISTED)
    return {
        "out": str(out), "tasks": len(tasks), "predictions": n, "resumed": resumed, "notes": notes
    }  # fmt: skip


def _adapted(
    estimator: Any, name: str, task: Any, rows_of: Callable[..., tuple[Rows, list[str]]],
    schema: dict[str, Any], options: dict[str, Any],
) -> bytes:  # fmt: skip
    found, notes = rows_of(estimator, *task, **options)
    rows = [(name, *row, "; ".join(notes) or None) for row in found]
    return parquet_bytes(pl.DataFrame(rows, schema=schema, orient="row"))
