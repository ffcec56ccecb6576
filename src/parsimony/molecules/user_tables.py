"""The files of ``parsimony adapt``: labelled molecules, and molecules to predict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from parsimony.chem.smiles import canonical, reason_unreadable
from parsimony.decoding.columns import named_columns
from parsimony.decoding.lines import shorten
from parsimony.decoding.tables import Table
from parsimony.errors import FormatError
from parsimony.molecules.table import SMILES, BadSmiles, read_molecules

__all__ = ["Queries", "Support", "read_queries", "read_support"]

LABEL, ID = "label", "id"


@dataclass(frozen=True)
class Support:
    """Labelled molecules: ids, SMILES, labels 0 or 1, and notes on rows that were left out."""

    ids: tuple[str, ...]
    smiles: tuple[str, ...]
    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Queries:
    """Molecules to predict: ids, SMILES, and notes on rows that were left out."""

    ids: tuple[str, ...]
    smiles: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_support(path: str | os.PathLike[str], bad_smiles: BadSmiles = "refuse") -> Support:
    """Read a CSV with the columns smiles and label (0 or 1), and id where there is one.

    Parameters
    ----------
    bad_smiles
        "refuse" makes a SMILES that cannot be read an error, "skip" leaves its row out.

    Raises
    ------
    MissingFile, EmptySplit, FormatError
        No file, no row, a missing column, a label neither 0 nor 1, a SMILES that cannot be read;
        ``where`` names the line.
    """
    table = read_molecules(path, LABEL, only=(ID,))
    labels = []
    for i, text in enumerate(table.column(LABEL)):
        if text.strip() not in ("0", "1", "0.0", "1.0"):
            raise FormatError(
                f"label {shorten(text)} is neither 0 nor 1",
                remedy="write 1 for active and 0 for inactive, and leave unmeasured ones out",
                where=table.where(i),
            )
        labels.append(int(float(text)))
    rows, notes = _readable(table, bad_smiles)
    return Support(*_columns(table, rows), tuple(labels[i] for i in rows), notes)


def read_queries(path: str | os.PathLike[str], bad_smiles: BadSmiles = "refuse") -> Queries:
    """Read a CSV with the column smiles, and id where there is one.

    Parameters
    ----------
    bad_smiles
        As of :func:`read_support`.

    Raises
    ------
    MissingFile, EmptySplit, FormatError
        As :func:`read_support`.
    """
    table = read_molecules(path, only=(ID,))
    rows, notes = _readable(table, bad_smiles)
    return Queries(*_columns(table, rows), notes)


def _columns(table: Table, rows: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids and SMILES of some rows."""
    ids, smiles = _ids(table), table.column(SMILES)
    return tuple(ids[i] for i in rows), tuple(smiles[i].strip() for i in rows)


def _ids(table: Table) -> tuple[str, ...]:
    """Column id, mol_id, name …, or the number of the row, from 1."""
    if (found := named_columns(table.frame.columns, (ID,))) is not None:
        return tuple(table.column(table.frame.columns[found[0]]))
    return tuple(str(i + 1) for i in range(len(table)))


def _readable(table: Table, bad_smiles: BadSmiles) -> tuple[list[int], tuple[str, ...]]:
    """The rows whose SMILES can be read, and a note on each of the others."""
    rows, notes = [], []
    for i, text in enumerate(table.column(SMILES)):
        if canonical(text.strip()) is not None:
            rows.append(i)
            continue
        why = f"the SMILES cannot be read: {reason_unreadable(text.strip())}"
        if bad_smiles == "refuse":
            raise FormatError(
                why,
                remedy="correct it, or leave such rows out with --bad-smiles skip",
                where=table.where(i),
            )
        notes.append(f"left out: line {table.line(i)} of {table.path.name}, {why}")
    return rows, tuple(notes)
