"""A single file of triples, split by seed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl

from parsimony.decoding.lines import shorten
from parsimony.decoding.look import Look, is_number
from parsimony.decoding.packed import bare
from parsimony.errors import EmptySplit
from parsimony.graph.distinct import first_occurrences
from parsimony.graph.encoding import build_vocabularies, encode
from parsimony.graph.formats import fact_columns, read_triples
from parsimony.graph.names import spelling_notes
from parsimony.graph.splits import split_triples
from parsimony.link.column_order import DOCUMENTED, column_order, numbered
from parsimony.link.data import LinkData

__all__ = ["load_file", "split_note", "suspected_header"]


def suspected_header(*frames: pl.DataFrame) -> list[str]:
    """Return a warning where the first row reads like a header: none of its names occurs again.

    Of several files the first row of the first is looked at; the others may begin with the same.
    """
    if len(frames[0]) < 3:
        return []
    first = frames[0].row(0)
    rests = [frame.slice(int(len(frame) > 0 and frame.row(0) == first)) for frame in frames]
    for name, own in zip(frames[0].columns, first, strict=True):
        columns = ["relation"] if name == "relation" else ["head", "tail"]
        if any((rest[c].cast(pl.String) == own).any() for rest in rests for c in columns):
            return []
    shown = ", ".join(shorten(name) for name in first)
    return [
        f"warning: the first row ({shown}) may be a header, none of its names occurs again; if it "
        f"is one, map the columns: --columns {','.join(first)}"
    ]


def suspected_ratings(frame: pl.DataFrame) -> list[str]:
    """Return a warning where the rows could be ratings: each pair once, a number in the end."""
    tails = frame["tail"].unique().cast(pl.String)
    if (
        len(frame) < 3
        or not all(map(is_number, tails))
        or not all(frame.select("head", "relation").is_unique())
    ):
        return []
    return [
        "warning: read as facts, but the third column holds numbers and no pair of the first two "
        "is there twice: if these are ratings, --task coldstart reads them as such"
    ]


def split_note(train: int, valid: int, test: int, seed: int) -> str:
    """Say how a file was split, and why not 80/10/10 where too few facts could be spared."""
    n, kept = train + valid + test, "every entity and relation kept in train"
    shares = [100 * part / n for part in (train, valid, test)]
    if [round(share) for share in shares] == [80, 10, 10]:
        return f"split 80/10/10 with seed {seed}, {kept}"
    cut = "/".join(f"{share:.0f}" if share >= 0.95 else f"{share:.1g}" for share in shares)
    why = f"{n:,} facts do not divide into tenths"
    if valid + test < 2 * round(n / 10):
        why = f"only {valid + test:,} of {n:,} facts could be held out"
    return f"split {cut} instead of 80/10/10 with seed {seed}: {why}, {kept}"


def load_file(
    path: str | os.PathLike[str],
    *,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
) -> LinkData:
    """Read a TSV, CSV, Parquet or RDF file and split it 80/10/10.

    Every entity and relation stays in train; where so few facts are left for the other splits that
    they get less, the first of ``notes`` says so. Repeated rows are dropped first: a copy in train
    would give a test fact away. :meth:`LinkData.save` stores the split.

    Parameters
    ----------
    path : path
    columns : tuple of str, optional
        Header names, or numbers from 1, of head, relation and tail. Where they are not given and
        no header names them, counts decide which column holds the relations
        (:func:`parsimony.link.column_order.column_order`).
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
    found = None if columns is not None else fact_columns(path)
    if found is not None and not found.named and found.columns == DOCUMENTED:
        order = column_order([frame], str(path))
        left_out += [*order.notes, *suspected_ratings(frame)]
        if order.columns != DOCUMENTED:
            columns = numbered(order.columns)
            frame = read_triples(path, columns)
    elif found is not None and not found.named:
        left_out.append(f"read as facts: {Look.at(path).names(found.columns)}")
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
    notes = [split_note(len(train), len(valid), len(test), seed)]
    notes += suspected_header(frame) + left_out + spelling_notes(entities, relations)
    if len(unique) < len(triples):
        notes.append(f"{len(triples) - len(unique):,} repeated rows dropped before the split")
    return LinkData(
        name=bare(path).stem,
        entities=entities,
        relations=relations,
        train=train,
        valid=valid,
        test=test,
        notes=tuple(notes),
        source=str(path),
    )
