"""Encoding of names as ids, by dictionary codes and joins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from parsimony.errors import DataError, UnknownEntity, UnknownRelation
from parsimony.graph.rescan import Lines
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["build_vocabularies", "encode"]


def _distinct(series: Sequence[pl.Series]) -> pl.DataFrame:
    """Return the distinct names of categorical columns with their codes."""
    values = pl.concat([s.unique() for s in series]).unique()
    return pl.DataFrame({"code": values.to_physical(), "name": values.cast(pl.String)})


def build_vocabularies(frames: Sequence[pl.DataFrame]) -> tuple[Vocabulary, Vocabulary]:
    """Return the entities and relations of some frames, sorted by name.

    Sorted, because the order must not depend on the number of threads that read the file.
    """
    entities = _distinct([frame[c] for frame in frames for c in ("head", "tail")])
    relations = _distinct([frame["relation"] for frame in frames])
    return (
        Vocabulary(entities["name"].sort().to_list(), "entity"),
        Vocabulary(relations["name"].sort().to_list(), "relation"),
    )


def _lookup(columns: Sequence[pl.Series], vocabulary: Vocabulary) -> tuple[np.ndarray, pl.Series]:
    """Return an array from dictionary code to id, and the names that have none (-1)."""
    distinct = _distinct(columns)
    known = pl.DataFrame(
        {
            "name": pl.Series(vocabulary.names, dtype=pl.String),
            "id": np.arange(len(vocabulary), dtype=np.int32),
        }
    )
    joined = distinct.join(known, on="name", how="left", maintain_order="left")
    codes = joined["code"].to_numpy()
    lookup = np.full(int(codes.max(initial=0)) + 1, -1, dtype=np.int32)
    lookup[codes] = joined["id"].fill_null(-1).to_numpy()
    return lookup, joined.filter(pl.col("id").is_null())["name"].sort()


def encode(
    frame: pl.DataFrame,
    entities: Vocabulary,
    relations: Vocabulary,
    *,
    lines: Lines | None = None,
    listed_in: tuple[str, str] = ("entities.txt", "relations.txt"),
) -> np.ndarray:
    """Turn the names of a frame into ids.

    Parameters
    ----------
    frame : polars.DataFrame
        Categorical columns head, relation, tail, as :func:`read_triples` returns them.
    entities, relations : Vocabulary
    lines : Lines, optional
        The file behind the frame; an error then names the line.
    listed_in : tuple of str
        Where the vocabularies come from, for the remedy.

    Returns
    -------
    int32 array, shape (n, 3)

    Raises
    ------
    UnknownEntity, UnknownRelation
        A name outside the vocabularies.
    """
    out = np.empty((len(frame), 3), dtype=np.int32)
    if not len(frame):
        return out
    heads, middles, tails = frame["head"], frame["relation"], frame["tail"]
    entity_ids, unknown_entities = _lookup([heads, tails], entities)
    relation_ids, unknown_relations = _lookup([middles], relations)
    if len(unknown_entities):
        raise _unknown(unknown_entities, entities, lines, (0, 2), listed_in[0])
    if len(unknown_relations):
        raise _unknown(unknown_relations, relations, lines, (1,), listed_in[1])
    out[:, 0] = entity_ids[heads.to_physical().to_numpy()]
    out[:, 1] = relation_ids[middles.to_physical().to_numpy()]
    out[:, 2] = entity_ids[tails.to_physical().to_numpy()]
    return out


def _unknown(
    names: pl.Series,
    vocabulary: Vocabulary,
    lines: Lines | None,
    columns: tuple[int, ...],
    home: str,
) -> DataError:
    missing = set(names.to_list())
    name, where = names[0], None
    if lines is not None:
        where = str(lines.path)
        for number, triple in lines.triples():
            hits = [triple[c] for c in columns if triple[c] in missing]
            if hits:
                name, where = hits[0], f"{lines.path}:{number}"
                break
    error = {"entity": UnknownEntity, "relation": UnknownRelation}[vocabulary.kind].of(
        name, vocabulary.names, where=where
    )
    more = f" ({len(missing):,} such names)" if len(missing) > 1 else ""
    error.message += f", not in {home}{more}"
    error.args = (error.message,)
    error.remedy += f", or list it in {home}"
    return error
