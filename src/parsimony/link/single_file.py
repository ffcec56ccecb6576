"""A single file of triples, split by seed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl

from parsimony.decoding.lines import shorten
from parsimony.errors import EmptySplit
from parsimony.graph.distinct import first_occurrences
from parsimony.graph.encoding import build_vocabularies, encode
from parsimony.graph.formats import read_triples
from parsimony.graph.names import spelling_notes
from parsimony.graph.splits import split_triples
from parsimony.link.data import LinkData

__all__ = ["load_file"]


def suspected_header(frame: pl.DataFrame) -> list[str]:
    """Return a warning where the first row reads like a header: none of its names occurs again."""
    if len(frame) < 3:
        return []
    first, rest = frame.row(0), frame.slice(1).cast(pl.String)
    for name, own in zip(frame.columns, first, strict=True):
        columns = ["relation"] if name == "relation" else ["head", "tail"]
        if rest.select(pl.any_horizontal((pl.col(c) == own).any() for c in columns)).item():
            return []
    shown = ", ".join(shorten(name) for name in first)
    return [
        f"warning: the first row ({shown}) may be a header, none of its names occurs again; if it "
        f"is one, map the columns: --columns {','.join(first)}"
    ]


def load_file(
    path: str | os.PathLike[str],
    *,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
) -> LinkData:
    """Read a TSV, CSV, Parquet or RDF file and split it 80/10/10.

    Every entity and relation stays in train. Repeated rows are dropped first: a copy in train
    would give a test fact away. :meth:`LinkData.save` stores the split.

    Parameters
    ----------
    path : path
    columns : tuple of str, optional
        Header names of head, relation and tail.
    seed : int

    Returns
    -------
    LinkData

    Raises
    ------
    MissingFile, NotAFile, EncodingError, FormatError, EmptySplit, MissingExtra
    """
    path = Path(path)
    left_out: list[str] = []
    frame = read_triples(path, columns, notes=left_out)
    if not len(frame):
        raise EmptySplit(
            "no triples, expected at least one row of head, relation, tail",
            remedy="complete the file",
            where=str(path),
        )
    entities, relations = build_vocabularies([frame])
    triples = encode(frame, entities, relations)
    rows = first_occurrences(triples, len(entities), len(relations))
    unique = triples[np.sort(rows)]
    try:
        train, valid, test = split_triples(unique, seed)
    except EmptySplit as error:
        raise EmptySplit(error.message, remedy=error.remedy, where=str(path)) from None
    notes = [f"split 80/10/10 with seed {seed}, every entity and relation kept in train"]
    notes += suspected_header(frame) + left_out + spelling_notes(entities, relations)
    if len(unique) < len(triples):
        notes.append(f"{len(triples) - len(unique):,} repeated rows dropped before the split")
    return LinkData(
        name=path.stem,
        entities=entities,
        relations=relations,
        train=train,
        valid=valid,
        test=test,
        notes=tuple(notes),
        source=str(path),
    )
