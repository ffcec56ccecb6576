"""Answer many queries into one table, in atomic shards, so that it can be resumed.

A shard is a pure function of the run and its queries, so that any engine may answer it
(:mod:`parsimony.cli.model_shards`); none changes a byte of the table.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from parsimony.cli.model_shards import ModelShards, digest, holds, join_shards, parquet_bytes
from parsimony.cli.partial import Unknown
from parsimony.cli.table_files import TEXT, unescaped
from parsimony.decoding.parquet import PARQUET
from parsimony.errors import FormatError, UnknownEntity, UnknownRelation
from parsimony.graph.formats import line_reader, read_triples
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.shards import shards_of

__all__ = ["ASKED", "frame_of", "places_of", "read_queries", "run_batch"]

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


def read_queries(
    path: Path, estimator: Any, unknown: Unknown | None = None
) -> tuple[list[int], list[dict[str, str]]]:
    """Read a file of queries: head, relation, tail, one of the ends ``?``.

    Also the row of each in the file, from 0.

    Parameters
    ----------
    path
        Any format of :func:`parsimony.graph.read_triples`.
    estimator
        Fitted; resolves the names.
    unknown
        Receives the queries of unknown names, which are left out; without it they are errors.

    Raises
    ------
    FormatError
        No query, or a row without exactly one unknown end; ``where`` gives file and line.
    UnknownEntity, UnknownRelation
        Likewise; with a place for them only where no query is left.
    """
    frame = read_triples(path).cast(pl.String)
    if not len(frame):
        raise FormatError(
            "no queries", remedy=f"one per line: head, relation, {ASKED}", where=str(path)
        )
    data = estimator.task_.test_data
    if path.suffix.lower() in TEXT:
        frame = _as_known(frame, data)
    entities = pl.Series([*data.entities, ASKED], dtype=pl.String)
    relations = pl.Series(list(data.relations), dtype=pl.String)
    checks = frame.select(
        form=(pl.col("head") == ASKED) == (pl.col("tail") == ASKED),
        known=pl.col("head").is_in(entities.implode())
        & pl.col("tail").is_in(entities.implode())
        & pl.col("relation").is_in(relations.implode()),
    )
    if checks["form"].any():
        at = int(checks["form"].arg_true()[0])
        head, relation, tail = frame.row(at)
        raise FormatError(
            f"a query has exactly one unknown end. Got {head}, {relation}, {tail}",
            remedy=f"write {ASKED} for the head or for the tail",
            where=places_of(path, [at])[at],
        )
    wrong = (~checks["known"]).arg_true().to_list()
    unknown, strict = unknown or Unknown(), unknown is None
    places = places_of(path, wrong)
    for at in wrong:
        head, relation, tail = frame.row(at)
        if relation not in data.relations:
            unknown.add(UnknownRelation, relation, data.relations, places[at])
        else:
            end = head if tail == ASKED else tail
            unknown.add(UnknownEntity, end, data.entities, places[at])
    rows = checks["known"].arg_true().to_list()
    unknown.require([] if strict and wrong else rows)
    return rows, [
        {end: name for end, name in row.items() if name != ASKED or end == "relation"}
        for row in frame[rows].iter_rows(named=True)
    ]


def _as_known(frame: pl.DataFrame, data: Any) -> pl.DataFrame:
    """Take the apostrophe away that our writer put in front of a name, where it is a name then."""
    known = {"head": data.entities, "relation": data.relations, "tail": data.entities}
    marked = pl.any_horizontal(pl.col(list(known)).str.starts_with("'"))
    if not frame.select(marked.any()).item():
        return frame
    return frame.with_columns(
        pl.Series(name, [
            bare if cell not in names and (bare := unescaped(cell)) in names else cell
            for cell in frame[name]
        ], dtype=pl.String)
        for name, names in known.items()
    )  # fmt: skip


def places_of(path: Path, rows: Sequence[int]) -> dict[int, str]:
    """Return ``file:line`` of some rows of a file of queries, or of facts."""
    if not rows or path.suffix.lower() in PARQUET:
        return {row: f"{path}:{row + 1}" for row in rows}
    wanted = set(rows)
    lines = enumerate(line_reader(path).triples())
    return {row: f"{path}:{number}" for row, (number, _) in lines if row in wanted}


def run_batch(
    estimator: Any,
    run: Path,
    queries: Path,
    out: Path,
    *,
    top: int = 10,
    candidates: Sequence[str] | None = None,
    drop_known: bool = False,
    unknown: Unknown | None = None,
    quiet: bool = True,
    shard: int = SHARD,
    book: Path | None = None,
    settings: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Answer a file of queries into a table, one row per answer.

    Columns ``query`` (row of the file, from 0), ``head``, ``relation``, ``tail`` (null for the
    unknown end), ``rank`` (from 1), ``entity``, ``score``, ``probability``.

    Parameters
    ----------
    engine
        Where shards are answered; by default here. Processes other than this one read the run
        folder themselves, and know of no ``book``.

    Returns
    -------
    dict
        ``out, queries, answers, resumed, seconds, notes``; ``resumed`` counts the queries that
        were answered by an earlier run of the same command.

    Raises
    ------
    RunExists
        The file exists, another process writes it, or the shards next to it belong to another
        batch.
    CannotWrite
        The disk is full or the folder not writable; finished shards stay.
    """
    begin = time.perf_counter()
    rows, asked = read_queries(queries, estimator, unknown)
    engine = engine or LocalEngine()
    identity = _identity(run, queries, top, candidates, drop_known, shard)
    if book is not None:
        identity["book"] = [digest(book.read_bytes()), *(settings or ())]
    with shards_of(out, identity) as shards:
        numbers = [rows[at : at + shard] for at in range(0, len(asked), shard)]
        allowed = None if candidates is None else tuple(candidates)
        answering = ModelShards(
            estimator,
            run,
            partial(_answer, top=top, candidates=allowed, drop_known=drop_known),
            [
                {"part": asked[i * shard : (i + 1) * shard], "numbers": own}
                for i, own in enumerate(numbers)
            ],
            [f"{at:08d}.parquet" for at in range(0, len(asked), shard)],
            [len(own) for own in numbers],
        )
        resumed = 0
        for i, _, there in answering.done(engine, shards, _is_shard, "answering", quiet=quiet):
            resumed += there * len(numbers[i])
        n_answers = join_shards(shards, answering.names, out)
    done: dict[str, Any] = {
        "out": str(out),
        "queries": len(asked),
        "answers": n_answers,
        "resumed": resumed,
        "seconds": time.perf_counter() - begin,
        "notes": estimator.notes_on(asked),
    }
    if unknown is not None:
        unknown.tell(done, "queries")
    return done


def _answer(
    estimator: Any, part: list[dict[str, str]], numbers: list[int], **options: Any
) -> bytes:
    """Answer a shard of queries."""
    return parquet_bytes(frame_of(estimator.predict_batch(part, **options), numbers))


def _is_shard(content: bytes, job: Mapping[str, Any]) -> bool:
    """Whether it is a whole shard of a job's queries."""
    if not holds(_SCHEMA)(content, job):
        return False
    return set(pl.read_parquet(io.BytesIO(content))["query"]) <= set(job["numbers"])


def frame_of(answers: Any, numbers: Sequence[int]) -> pl.DataFrame:
    """Return answers as a table, one row each, with the number of their query."""
    rows = [
        (
            number,
            result["query"].get("head"),
            result["query"]["relation"],
            result["query"].get("tail"),
            rank,
            answer["entity"],
            answer["score"],
            answer.get("probability"),
        )
        for number, result in zip(numbers, answers, strict=True)
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
    return {
        "queries": digest(queries.read_bytes()),
        "model": digest((run / "checksums.json").read_bytes()),
        "top": top,
        "candidates": None if candidates is None else digest("\n".join(candidates).encode()),
        "drop_known": drop_known,
        "shard": shard,
    }
