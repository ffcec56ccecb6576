"""Explain a file of facts, a JSON object a line, in shards that can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from parsimony.cli.batch import places_of
from parsimony.cli.model_shards import ModelShards, digest
from parsimony.decoding.strict_json import json_text
from parsimony.errors import DataError, FormatError
from parsimony.graph.formats import read_triples
from parsimony.run.engine import Engine
from parsimony.run.shards import shards_of

__all__ = ["explain_all"]

SHARD = 20  # facts

Fact = tuple[str, str, str]


def explain_all(
    estimator: Any, run: Path, queries: Path, out: Path, *, side: str | None, seed: int,
    engine: Engine, quiet: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Explain every fact of a file; line i of ``out`` is what ``explain --json`` says of row i.

    Returns
    -------
    dict
        ``out, facts, resumed``: how many were explained, and before by the same command.

    Raises
    ------
    FormatError
        No facts.
    DataError
        A name that the model does not know; ``where`` gives file and line.
    RunExists, CannotWrite
        See :func:`parsimony.run.shards.shards_of`.
    """
    facts = [_known(estimator, row, queries, i) for i, row in enumerate(_rows(queries))]
    if not facts:
        raise FormatError(
            "no facts to explain", remedy="one per line: head, relation, tail", where=str(queries)
        )
    asked: dict[str, Any] = {} if side is None else {"side": side}
    parts = [facts[at : at + SHARD] for at in range(0, len(facts), SHARD)]
    explaining = ModelShards(
        estimator, run, partial(_explained, seed=seed, **asked),
        [{"facts": part} for part in parts],
        [f"{at:08d}.jsonl" for at in range(0, len(facts), SHARD)], [len(part) for part in parts],
    )  # fmt: skip
    identity = {
        "model": digest((run / "checksums.json").read_bytes()),
        "queries": digest(queries.read_bytes()), "seed": seed, "side": side, "shard": SHARD,
    }  # fmt: skip
    resumed = 0
    with shards_of(out, identity) as shards:
        for i, _, there in explaining.done(engine, shards, _is_shard, "explaining", quiet=quiet):
            resumed += there * len(parts[i])

        def join(whole: Path) -> None:
            assert shards.folder is not None
            with whole.open("wb") as stream:
                for name in explaining.names:
                    with (shards.folder / name).open("rb") as part:
                        shutil.copyfileobj(part, stream)

        shards.become(out, join)
    return {"out": str(out), "facts": len(facts), "resumed": resumed}


def _rows(path: Path) -> list[Fact]:
    return [tuple(map(str, row)) for row in read_triples(path).iter_rows()]  # type: ignore[misc]


def _known(estimator: Any, fact: Fact, queries: Path, row: int) -> tuple[Fact, list[str]]:
    """The names of a fact as the data spell them, and notes on it."""
    notes: list[str] = []
    try:
        return estimator.as_known(*fact, notes), notes
    except DataError as error:
        error.where = places_of(queries, [row])[row]
        raise


def _explained(estimator: Any, facts: list[tuple[Fact, list[str]]], **asked: Any) -> bytes:
    lines = []
    for fact, notes in facts:
        found = estimator.explain(*fact, **asked)
        value = replace(found, notes=(*notes, *found.notes)).to_dict()
        lines.append(json_text(value, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def _is_shard(content: bytes, job: Mapping[str, Any]) -> bool:
    return content.endswith(b"\n") and content.count(b"\n") == len(job["facts"])
