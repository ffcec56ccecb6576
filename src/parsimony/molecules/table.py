"""Read molecules: a CSV of SMILES and one column per task, and ``task_splits.json`` beside it.

Cells are 1 (active), 0 (inactive) or empty (not measured, which is never inactive).
``task_splits.json`` holds ``train_tasks`` and ``test_tasks`` as names or column numbers, 0 the
first task, for the file or, where there are several, below the file's name. Without it all tasks
are training tasks and none is a test task.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import StrictInt, StrictStr

from parsimony.chem.smiles import canonical_forms, reason_unreadable
from parsimony.datasets import registry
from parsimony.datasets.loading import locate
from parsimony.decoding.documents import checked, read_json
from parsimony.decoding.lines import shorten
from parsimony.decoding.look import Look, Reading
from parsimony.decoding.tables import Table, read_table
from parsimony.errors import (
    EmptySplit,
    FormatError,
    InvalidParameter,
    UnknownDataset,
    suggest,
)
from parsimony.molecules.data import IntArray, MoleculeData, listed
from parsimony.molecules.label_columns import CELLS, label_columns

__all__ = ["is_molecules", "load_molecules", "read_molecules", "reading"]

BadSmiles = Literal["skip", "refuse"]
SPLITS = "task_splits.json"
SPLITS_REMEDY = 'write {"train_tasks": ["A", "B"], "test_tasks": ["C"]}'
SMILES = "smiles"


def load_molecules(
    name_or_path: str | os.PathLike[str],
    *,
    bad_smiles: BadSmiles = "skip",
    ignore: Sequence[str] = (),
    mirror: str | os.PathLike[str] | None = None,
) -> MoleculeData:
    """Load molecules by a registered name, a CSV file, or a folder with one CSV file.

    Parameters
    ----------
    name_or_path
        "tox21", "sider", "muv", "toxcast", or the user's own.
    bad_smiles
        "skip" leaves molecules out whose SMILES cannot be read, and says so in ``notes``; "refuse"
        makes them an error.
    ignore
        Columns to leave out. Those that hold no labels are left out anyway, and ``notes`` say so.
    mirror
        A folder or web address with a ``manifest.json``.

    Raises
    ------
    UnknownDataset, InvalidParameter
        Neither a name nor a path, or a set of another kind.
    MissingFile, FormatError, EmptySplit
        No file, a wrong cell or row (``where`` names the line), no molecule.
    MissingExtra
        RDKit is not installed.
    """
    text = os.fspath(name_or_path)
    if text in registry.names():
        item = registry.entry(text, "molecules")
        folder, source = locate(text, mirror=mirror)
        data = _load_file(folder / f"{text}.csv", bad_smiles, ignore)
        return replace(data, source=f"{source}; licence: {item.licence}", registered=True)
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        if len(tables) != 1:
            raise InvalidParameter(
                f"a folder of molecules holds one .csv. Got {len(tables)}",
                remedy="name the file",
                where=str(path),
            )
        path = tables[0]
    elif not os.path.lexists(path) and os.sep not in text and not path.suffix:
        raise UnknownDataset.of(text, registry.names())
    return _load_file(path, bad_smiles, ignore)


def is_molecules(name_or_path: str) -> bool:
    """Whether a name is of molecules, or a folder with one table and its ``task_splits.json``."""
    if name_or_path in registry.names():
        return name_or_path in registry.names("molecules")
    path = Path(os.path.expanduser(name_or_path))
    return (path / SPLITS).is_file() and len(list(path.glob("*.csv"))) == 1


def reading(look: Look) -> Reading | None:
    """How a table is read as molecules: by its one column of SMILES; None if it has none."""
    found = look.named(SMILES)
    return None if found is None else Reading(found, True)


def read_molecules(
    path: str | os.PathLike[str], *needed: str, only: Sequence[str] | None = None
) -> Table:
    """Read a table with a column of SMILES, called so in the frame whatever its word for it is.

    Parameters
    ----------
    path
    *needed
        Further columns that it must have.
    only
        Roles (:data:`parsimony.decoding.columns.ROLES`) of the others to read; all by default.

    Raises
    ------
    DataError
        As of :func:`parsimony.decoding.tables.read_table`.
    """
    look = Look.at(path)
    found = {
        role: look.first[at[0]] for role in (SMILES, *(only or ())) if (at := look.named(role))
    }
    own = found.pop(SMILES, SMILES)
    separator = None if look.text is None else look.text.separator
    table = read_table(
        path, (own, *needed), only=None if only is None else list(found.values()),
        separator=separator,
    )  # fmt: skip
    return replace(table, frame=table.frame.rename({own: SMILES}))


def _load_file(path: Path, bad_smiles: BadSmiles, ignore: Sequence[str]) -> MoleculeData:
    table = read_molecules(path)
    names, notes = label_columns(table.frame, SMILES, ignore)
    if not names:
        raise FormatError(
            "no column of labels", remedy="; ".join([*notes, "add one with 0 and 1"]),
            where=f"{path}:1",
        )  # fmt: skip
    smiles = [text.strip() for text in table.column(SMILES)]
    labels = np.stack([_labels(table, name) for name in names], 1)
    lines = [table.line(i) for i in range(len(table))]
    bad = [i for i, form in enumerate(canonical_forms(smiles)) if not form]
    if bad and bad_smiles == "refuse":
        raise FormatError(
            f"{len(bad)} SMILES cannot be read, the first: {reason_unreadable(smiles[bad[0]])}",
            remedy="correct it, or leave such rows out with --set bad_smiles=skip",
            where=table.where(bad[0]),
        )
    if bad:
        first = reason_unreadable(smiles[bad[0]])
        notes.append(
            f"warning: {len(bad)} of {len(smiles):,} molecules left out whose SMILES cannot be "
            f"read (lines {listed([lines[i] for i in bad])} of {path.name}; {first})"
        )
        kept = np.setdiff1d(np.arange(len(smiles)), bad)
        smiles, lines = [smiles[i] for i in kept], [lines[i] for i in kept]
        labels = labels[kept]
    if not smiles:
        raise EmptySplit("no molecule can be read", remedy="correct it", where=str(path))
    train, test = _splits(path, names)
    return MoleculeData(
        name=path.stem,
        smiles=tuple(smiles),
        labels=labels,
        task_names=names,
        train_tasks=train,
        test_tasks=test,
        notes=tuple(notes),
        source=str(path),
    ).distinct(lines)


def _labels(table: Table, name: str) -> np.ndarray:
    """Read a column of 0, 1 and nothing."""
    column = table.frame[name]
    read = column.str.strip_chars().replace_strict(CELLS, default=None, return_dtype=pl.Int8)
    if wrong := read.is_null().arg_true().to_list():
        raise FormatError(
            f"{shorten(column[wrong[0]])} in column {name!r} is neither 0 nor 1",
            remedy="write 1 for active, 0 for inactive, nothing for not measured",
            where=table.where(wrong[0]),
        )
    return read.to_numpy()


@dataclass(frozen=True)
class _Splits:
    train_tasks: list[StrictInt | StrictStr]
    test_tasks: list[StrictInt | StrictStr]


def _splits(path: Path, names: tuple[str, ...]) -> tuple[IntArray, IntArray]:
    """Read which tasks are for training and which for test."""
    place = path.parent / SPLITS
    if not os.path.lexists(place):
        return np.arange(len(names), dtype=np.int32), np.empty(0, np.int32)
    content = read_json(place, remedy=SPLITS_REMEDY)
    own = content.get(path.stem, content) if isinstance(content, dict) else content
    parts = checked(_Splits, own, str(place), remedy=SPLITS_REMEDY)
    train, test = (_tasks(part, names, place) for part in (parts.train_tasks, parts.test_tasks))
    if both := sorted(set(train.tolist()) & set(test.tolist())):
        raise FormatError(
            f"task {names[both[0]]!r} is for training and for test",
            remedy="leave it in one of the lists",
            where=str(place),
        )
    return train, test


def _tasks(given: list[int | str], names: tuple[str, ...], place: Path) -> IntArray:
    """Numbers of tasks that are given by name or number."""
    numbers = []
    for task in given:
        known = task in names if isinstance(task, str) else 0 <= task < len(names)
        if not known:
            raise FormatError(
                f"no task {task!r} in the table, which has {len(names)}",
                remedy=(suggest(task, names) if isinstance(task, str) else "")
                or f"name its columns, or give numbers 0 … {len(names) - 1}",
                where=str(place),
            )
        numbers.append(names.index(task) if isinstance(task, str) else task)
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise FormatError(
            f"task {names[twice]!r} is listed twice", remedy="list it once", where=str(place)
        )
    return np.array(numbers, np.int32)
