"""Which columns of a table of molecules are labels, and which are ids, names or measured values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from parsimony.decoding.columns import role_of
from parsimony.errors import UnknownParameter, suggest

__all__ = ["label_columns"]

#: cell → label; −1: not measured
CELLS = {"": -1, "0": 0, "1": 1, "0.0": 0, "1.0": 1}
_SHOWN = 5


def label_columns(
    table: pl.DataFrame, smiles: str, ignored: Iterable[str] = ()
) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of the columns that hold labels, and a note on those that do not.

    A column of labels holds 0, 1 and nothing. One in which at least half of the measured cells are
    0 or 1 is meant as such: its other cells are errors, and reported as such later. A column called
    "id", "mol_id", "name" … whose cells are all different is none, whatever they are.

    Parameters
    ----------
    table
        Columns of text.
    smiles
        The column of structures.
    ignored
        Columns to leave out.

    Raises
    ------
    UnknownParameter
        A column to leave out that the table does not have.
    """
    ignored = list(ignored)
    for name in ignored:
        if name not in table.columns:
            raise UnknownParameter(
                f"no column {name!r} to ignore",
                remedy=suggest(name, table.columns) or f"columns: {', '.join(table.columns[:12])}",
            )
    others = [name for name in table.columns if name != smiles and name not in ignored]
    labels = [name for name in others if _is_label(table[name])]
    left = [name for name in others if name not in labels]
    notes = [f"ignored: {_listed(ignored)}"] if ignored else []
    if left:
        notes.append(
            f"warning: {len(left)} column{'s' * (len(left) > 1)} left out that "
            f"{'are' if len(left) > 1 else 'is'} not of 0, 1 and empty cells: {_listed(left)}"
        )
    return tuple(labels), notes


def _is_label(column: pl.Series) -> bool:
    cells = column.str.strip_chars()
    filled = cells.filter(cells != "")
    if role_of(column.name) == "id" and len(filled) > 1 and filled.n_unique() == len(filled):
        return False
    return int(filled.is_in(list(CELLS)).sum()) * 2 >= len(filled)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
