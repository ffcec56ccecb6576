"""Screen every drug of a run against all others, in shards that can be resumed."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from parsimony.cli.model_shards import ModelShards, digest, holds, join_shards, parquet_bytes
from parsimony.errors import UsageError
from parsimony.run.engine import Engine
from parsimony.run.shards import shards_of

__all__ = ["PARTNERS", "partner_rows", "screen_all"]

SHARD = 4  # drugs
_LISTED = 5  # drugs of which a note says on what answers rest

_TEXT = ("drug", "id", "drug1", "drug2", "type", "probability", "text", "reason", "known")
PARTNERS: dict[str, Any] = (
    {"rank": pl.Int32} | dict.fromkeys(_TEXT, pl.String) | {"probability": pl.Float64}
)
_SCHEMA: dict[str, Any] = {"screened": pl.String, **PARTNERS, "notes": pl.String}


def partner_rows(partners: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return partners as the rows of a table."""
    return [
        (
            rank,
            partner["drug"],
            partner["id"],
            *partner["order"],
            partner["type"],
            partner["probability"],
            partner["text"],
            partner["reason"] or None,
            "; ".join(f"{fact['text']} ({fact['split']})" for fact in partner["known"]) or None,
        )
        for rank, partner in enumerate(partners, start=1)
    ]


def screen_all(
    estimator: Any, run: Path, out: Path, *, top: int, drop_known: bool, engine: Engine,
    quiet: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Write the first partners of every drug into one table, in the order of the data.

    What answers on a drug rest on, where that is less than the method reads, is in ``notes``.

    Parameters
    ----------
    top
        Partners of each drug.

    Returns
    -------
    dict
        ``out, drugs, rows, resumed``: how many drugs, and of these by an earlier such command;
        ``notes``, the first.

    Raises
    ------
    RunExists, CannotWrite
        See :func:`parsimony.run.shards.shards_of`.
    """
    n = estimator.task_.data.n_drugs
    jobs = [{"first": at, "last": min(at + SHARD, n)} for at in range(0, n, SHARD)]
    names = [f"{job['first']:08d}.parquet" for job in jobs]
    sizes = [job["last"] - job["first"] for job in jobs]
    screened = partial(_screened, top=top, drop_known=drop_known)
    identity = {
        "model": digest((run / "checksums.json").read_bytes()),
        "top": top, "drop_known": drop_known, "shard": SHARD,
    }  # fmt: skip
    screening = ModelShards(estimator, run, screened, jobs, names, sizes)
    resumed, said = 0, dict[int, list[str]]()
    with shards_of(out, identity) as shards:
        done = screening.done(engine, shards, holds(_SCHEMA), "screening", quiet=quiet)
        for i, content, there in done:
            resumed += there * sizes[i]
            own = pl.read_parquet(io.BytesIO(content))["notes"].drop_nulls()
            said[i] = own.unique(maintain_order=True).to_list()
        rows = join_shards(shards, names, out)
    notes = [note for i in sorted(said) for note in said[i]]
    if (more := len(notes) - _LISTED) > 0:
        notes[_LISTED:] = [f"less is known of {more:,} other drugs as well"]
    return {"out": str(out), "drugs": n, "rows": rows, "resumed": resumed, "notes": notes}


def _screened(estimator: Any, first: int, last: int, top: int, drop_known: bool) -> bytes:
    from parsimony.ddi.screening import screen

    rows, data = [], estimator.task_.data
    for i in range(first, last):
        try:  # an id may be another drug's name
            found = screen(estimator, data.drug_names.address(i), top=top, drop_known=drop_known)
        except UsageError:
            if not drop_known:
                raise
            continue  # all partners are known
        name, notes = data.drugs.name(i), "; ".join(found["notes"]) or None
        rows += [(name, *row, notes) for row in partner_rows(found["partners"][:top])]
    return parquet_bytes(pl.DataFrame(rows, schema=_SCHEMA, orient="row"))
