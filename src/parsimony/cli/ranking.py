"""Rank the answers of a split in shards: the measures are those of one process, to the last bit.

A shard is a range of queries; its table holds a row an answer. This process keeps two numbers of
each, not the scores.
"""

from __future__ import annotations

import io
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from parsimony.cli.model_shards import ModelShards, digest, holds, join_shards, parquet_bytes
from parsimony.errors import UsageError
from parsimony.metrics import Ranks
from parsimony.run.engine import Engine
from parsimony.run.shards import shards_of

__all__ = ["evaluate_in_shards"]

SHARD = 1024  # queries, about: whole blocks of those that a model scores at once
_SCHEMA = {
    "head": pl.String,
    "relation": pl.String,
    "tail": pl.String,
    "asked": pl.String,
    "rank": pl.Float64,
    "better": pl.Int64,
    "equal": pl.Int64,
}


def evaluate_in_shards(
    estimator: Any, run: Path, split: str, *, seed: int, engine: Engine, out: Path | None = None,
    quiet: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Measure a run of link prediction on a split, its queries ranked on an engine.

    Parameters
    ----------
    out
        A table of the rank of every answer: ``head, relation, tail``, the end that was ``asked``
        for, its realistic ``rank``, how many other candidates score ``better`` and ``equal``.
        Beside it finished shards are kept.

    Returns
    -------
    dict
        That of ``evaluate``; ``out`` where a table was written.

    Raises
    ------
    UsageError
        The method ranks in one process.
    RunExists, CannotWrite
        See :func:`parsimony.run.shards.shards_of`.
    """
    if not getattr(estimator, "ranks_apart", False):
        raise UsageError(
            f"method {estimator.method!r} is measured in one process, without --out",
            remedy="leave them out",
        )
    begin, queries = time.perf_counter(), estimator.task_.queries(split)
    block = getattr(estimator.resolved_, "eval_batch", SHARD)
    shard = block * max(1, SHARD // block)
    jobs: list[dict[str, Any]] = [
        {"split": split, "first": at, "last": min(at + shard, len(queries))}
        for at in range(0, len(queries), shard)
    ]
    names = [f"{job['first']:08d}.parquet" for job in jobs]
    sizes = [job["last"] - job["first"] for job in jobs]
    ranking = ModelShards(estimator, run, _ranked, jobs, names, sizes)
    identity = {
        "model": digest((run / "checksums.json").read_bytes()), "split": split, "shard": shard,
    }  # fmt: skip
    parts = [Ranks.empty()] * len(jobs)
    with shards_of(out, identity) as shards:
        done = ranking.done(engine, shards, holds(_SCHEMA), f"ranking {split}", quiet=quiet)
        for i, content, _ in done:
            table = pl.read_parquet(io.BytesIO(content), columns=["better", "equal"])
            own = queries.take(np.arange(jobs[i]["first"], jobs[i]["last"]))
            relation, n = own.answer_relation, estimator.task_.n_relations
            parts[i] = Ranks(
                table["better"].to_numpy(), table["equal"].to_numpy(), relation % n, relation // n
            )
        if out is not None:
            join_shards(shards, names, out)
    seconds = time.perf_counter() - begin
    ranks = Ranks.join(parts)
    found: dict[str, Any] = estimator.measures(split, ranks, queries, seconds, seed=seed)
    return found if out is None else found | {"out": str(out)}


def _ranked(estimator: Any, split: str, first: int, last: int) -> bytes:
    """Rank a range of a split's queries."""
    queries = _queries(estimator, split).take(np.arange(first, last))
    ranks, data = estimator.ranks(split, queries=queries), estimator.task_.test_data
    about = np.repeat(queries.head, np.diff(queries.answer_ptr)).tolist()
    ends = zip(about, queries.answer.tolist(), ranks.direction.tolist(), strict=True)
    named = [[data.entities.name(e) for e in (a, b)][:: -1 if d else 1] for a, b, d in ends]
    table = {
        "head": [head for head, _ in named],
        "relation": [data.relations.name(r) for r in ranks.relation.tolist()],
        "tail": [tail for _, tail in named],
        "asked": np.where(ranks.direction == 0, "tail", "head"),
        "rank": ranks.ranks(),
        "better": ranks.greater,
        "equal": ranks.equal,
    }
    return parquet_bytes(pl.DataFrame(table, schema=_SCHEMA))


@lru_cache(1)
def _queries(estimator: Any, split: str) -> Any:
    """The queries of a split, once a process."""
    return estimator.task_.queries(split)
