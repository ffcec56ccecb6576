"""The files of ``parsimony adapt``: labelled molecules, and molecules to predict."""

from __future__ import annotations

import os
from dataclasses import dataclass

from parsimony.chem.smiles import molecule_of, reason_unreadable
from parsimony.decoding.lines import shorten
from parsimony.decoding.tables import Table, read_table
from parsimony.errors import FormatError
from parsimony.molecules.table import SMILES, BadSmiles

__all__ = ["Queries", "Support", "read_queries", "read_support"]

LABEL, ID = "label", "id"


@dataclass(frozen=True)
class Support:
    """Labelled molecules: ids, SMILES and labels 0 or 1."""

    ids: tuple[str, ...]
    smiles: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Queries:
    """Molecules to predict: ids, SMILES, and notes on rows that were left out."""

    ids: tuple[str, ...]
    smiles: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_support(path: str | os.PathLike[str]) -> Support:
    """Read a CSV with the columns smiles and label (0 or 1), and id where there is one.

    Raises
    ------
    MissingFile, EmptySplit, FormatError
        No file, no row, a missing column, a label neither 0 nor 1, a SMILES that cannot be read;
        ``where`` names the line.
    """
    table = read_table(path, (SMILES, LABEL), only=(ID,))
    labels = []
    for i, text in enumerate(table.column(LABEL)):
        if text.strip() not in ("0", "1", "0.0", "1.0"):
            raise FormatError(
                f"label {shorten(text)} is neither 0 nor 1",
                remedy="write 1 for active and 0 for inactive, and leave unmeasured ones out",
                where=table.where(i),
            )
        labels.append(int(float(text)))
    smiles, _ = _readable(table, "refuse")
    return Support(_ids(table), smiles, tuple(labels))


def read_queries(path: str | os.PathLike[str], bad_smiles: BadSmiles = "refuse") -> Queries:
    """Read a CSV with the column smiles, and id where there is one.

    Parameters
    ----------
    bad_smiles
        "refuse" makes a SMILES that cannot be read an error, "skip" leaves its row out.

    Raises
    ------
    MissingFile, EmptySplit, FormatError
        As :func:`read_support`.
    """
    table = read_table(path, (SMILES,), only=(ID,))
    smiles, bad = _readable(table, bad_smiles)
    ids = tuple(name for i, name in enumerate(_ids(table)) if i not in bad)
    notes = tuple(f"left out: line {table.line(i)}, {why}" for i, why in bad.items())
    return Queries(ids, smiles, notes)


def _ids(table: Table) -> tuple[str, ...]:
    """Column id in any case, or the number of the row, from 1."""
    for name in table.frame.columns:
        if name.strip().lower() == ID:
            return tuple(table.column(name))
    return tuple(str(i + 1) for i in range(len(table)))


def _readable(table: Table, bad_smiles: BadSmiles) -> tuple[tuple[str, ...], dict[int, str]]:
    """The SMILES that can be read, and why the others cannot, by row."""
    smiles, bad = [], {}
    for i, text in enumerate(table.column(SMILES)):
        text = text.strip()
        if molecule_of(text) is not None:
            smiles.append(text)
            continue
        bad[i] = f"the SMILES cannot be read: {reason_unreadable(text)}"
        if bad_smiles == "refuse":
            raise FormatError(bad[i], remedy="correct it", where=table.where(i))
    return tuple(smiles), bad
