"""Answer many queries into one Parquet file, in atomic shards, so that it can be resumed.

A folder ``FILE.parquet.parts`` next to ``FILE.parquet`` holds the finished shards and identifies
the batch (``batch.json``). After a kill, the same command continues after the last complete shard.
At the end the shards are merged into one file by a single rename, and the folder is removed.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from parsimony.decoding.documents import checked, read_json
from parsimony.decoding.parquet import PARQUET, join_parquet
from parsimony.decoding.strict_json import json_text
from parsimony.errors import DataError, FormatError, RunExists, UnknownEntity, UnknownRelation
from parsimony.graph.formats import line_reader, read_triples
from parsimony.run.atomic import write_atomic
from parsimony.run.progress import Progress

__all__ = ["ASKED", "read_queries", "run_batch"]

#: marks the unknown end of a query
ASKED = "?"
SHARD = 1000

_SCHEMA = {
    "query": pl.Int64,
    "head": pl.String,
    "relation": pl.String,
    "tail": pl.String,
    "rank": pl.Int32,
    "entity": pl.String,
    "score": pl.Float64,
    "probability": pl.Float64,
}


def read_queries(path: Path, estimator: Any) -> list[dict[str, str]]:
    """Read a file of queries: head, relation, tail, one of the ends ``?``.

    Parameters
    ----------
    path
        Any format of :func:`parsimony.graph.read_triples`.
    estimator
        Fitted; resolves the names.

    Raises
    ------
    FormatError
        No query, or a row without exactly one unknown end; ``where`` gives file and line.
    UnknownEntity, UnknownRelation
        Likewise.
    """
    frame = read_triples(path).cast(pl.String)
    if not len(frame):
        raise FormatError(
            "no queries", remedy=f"one per line: head, relation, {ASKED}", where=str(path)
        )
    data = estimator.task_.test_data
    entities = pl.Series([*data.entities, ASKED], dtype=pl.String)
    relations = pl.Series(list(data.relations), dtype=pl.String)
    wrong = frame.select(
        ((pl.col("head") == ASKED) == (pl.col("tail") == ASKED))
        | ~pl.col("head").is_in(entities.implode())
        | ~pl.col("tail").is_in(entities.implode())
        | ~pl.col("relation").is_in(relations.implode())
    ).to_series()
    if wrong.any():
        at = wrong.arg_max()
        assert at is not None
        raise _problem(path, at, frame.row(at), data)
    return [
        {end: name for end, name in row.items() if name != ASKED or end == "relation"}
        for row in frame.iter_rows(named=True)
    ]


def _problem(path: Path, row: int, fields: tuple[str, ...], data: Any) -> Exception:
    """Return the error for an invalid row, with its line."""
    where = f"{path}:{row + 1}"
    if path.suffix.lower() not in PARQUET:
        for i, (number, _) in enumerate(line_reader(path).triples()):
            if i == row:
                where = f"{path}:{number}"
                break
    head, relation, tail = fields
    if (head == ASKED) == (tail == ASKED):
        return FormatError(
            f"a query has exactly one unknown end. Got {head}, {relation}, {tail}",
            remedy=f"write {ASKED} for the head or for the tail",
            where=where,
        )
    if relation not in data.relations:
        return UnknownRelation.of(relation, data.relations, where=where)
    return UnknownEntity.of(head if tail == ASKED else tail, data.entities, where=where)


def run_batch(
    estimator: Any,
    run: Path,
    queries: Path,
    out: Path,
    *,
    top: int = 10,
    candidates: Sequence[str] | None = None,
    drop_known: bool = False,
    quiet: bool = True,
    shard: int = SHARD,
) -> dict[str, Any]:
    """Answer a file of queries into a Parquet file, one row per answer.

    Columns ``query`` (row of the file, from 0), ``head``, ``relation``, ``tail`` (null for the
    unknown end), ``rank`` (from 1), ``entity``, ``score``, ``probability``.

    Returns
    -------
    dict
        ``out, queries, answers, resumed, seconds``; ``resumed`` counts the queries that
        were answered by an earlier run of the same command.

    Raises
    ------
    RunExists
        The file exists, or the shards next to it belong to another batch.
    """
    begin = time.perf_counter()
    parts = out.with_name(out.name + ".parts")
    if out.exists() and not parts.exists():
        raise RunExists(
            "the output file exists", remedy="choose another --out, or remove it", where=str(out)
        )
    asked = read_queries(queries, estimator)
    out.parent.mkdir(parents=True, exist_ok=True)
    _claim(parts, _identity(run, queries, top, candidates, drop_known, shard))
    files = [parts / f"{at:08d}.parquet" for at in range(0, len(asked), shard)]
    resumed = 0
    with Progress(len(asked), "answering", quiet=quiet) as progress:
        for i, file in enumerate(files):
            part = asked[i * shard : (i + 1) * shard]
            if file.exists():
                resumed += len(part)
            else:
                answers = estimator.predict_batch(
                    part, top=top, candidates=candidates, drop_known=drop_known
                )
                frame = _frame(answers, i * shard)
                content = io.BytesIO()
                frame.write_parquet(content)
                write_atomic(file, content.getvalue())
            progress.advance(len(part))
    whole = parts / "whole.tmp"
    n_answers = join_parquet(files, whole)
    os.replace(whole, out)
    shutil.rmtree(parts)
    return {
        "out": str(out),
        "queries": len(asked),
        "answers": n_answers,
        "resumed": resumed,
        "seconds": time.perf_counter() - begin,
    }


def _frame(answers: Any, first: int) -> pl.DataFrame:
    rows = [
        (
            first + i,
            result["query"].get("head"),
            result["query"]["relation"],
            result["query"].get("tail"),
            rank,
            answer["entity"],
            answer["score"],
            answer.get("probability"),
        )
        for i, result in enumerate(answers)
        for rank, answer in enumerate(result["answers"], start=1)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _identity(
    run: Path,
    queries: Path,
    top: int,
    candidates: Sequence[str] | None,
    drop_known: bool,
    shard: int,
) -> dict[str, Any]:
    """Return what identifies a batch: existing shards are reused only if all of it is equal."""

    def digest(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()

    return {
        "queries": digest(queries.read_bytes()),
        "model": digest((run / "checksums.json").read_bytes()),
        "top": top,
        "candidates": None if candidates is None else digest("\n".join(candidates).encode()),
        "drop_known": drop_known,
        "shard": shard,
    }


def _claim(parts: Path, identity: dict[str, Any]) -> None:
    """Create the folder of shards, or reuse it if it belongs to the same batch."""
    note = parts / "batch.json"
    parts.mkdir(exist_ok=True)
    if not note.exists() and not any(parts.glob("*.parquet")):
        write_atomic(note, json_text(identity, indent=1) + "\n")
        return
    try:
        before = checked(dict[str, Any], read_json(note))
    except DataError:
        before = {}
    changed = [key for key, value in identity.items() if before.get(key) != value]
    if changed:
        raise RunExists(
            f"the folder holds shards of another batch: {', '.join(changed)} differ",
            remedy="repeat the first command, choose another --out, or remove the folder",
            where=str(parts),
        )
