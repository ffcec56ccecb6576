"""Read molecules: a CSV of SMILES and one column per task, and ``task_splits.json`` beside it.

Cells are 1 (active), 0 (inactive) or empty (not measured, which is never inactive).
``task_splits.json`` holds ``train_tasks`` and ``test_tasks`` as names or column numbers, 0 the
first task, for the file or, where there are several, below the file's name. Without it all tasks
are training tasks and none is a test task.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from parsimony.chem.smiles import reason_unreadable, unreadable
from parsimony.datasets import registry
from parsimony.datasets.loading import locate
from parsimony.decoding.documents import checked, read_json
from parsimony.decoding.lines import shorten
from parsimony.decoding.tables import Table, read_table
from parsimony.errors import (
    DataError,
    EmptySplit,
    FormatError,
    InvalidParameter,
    UnknownDataset,
)
from parsimony.molecules.data import UNMEASURED, IntArray, MoleculeData

__all__ = ["is_molecules", "load_molecules"]

BadSmiles = Literal["skip", "refuse"]
SPLITS = "task_splits.json"
SMILES = "smiles"
SHOWN = 8  # rows that a note lists


def load_molecules(
    name_or_path: str | os.PathLike[str],
    *,
    bad_smiles: BadSmiles = "skip",
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
        data = _load_file(folder / f"{text}.csv", bad_smiles)
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
    return _load_file(path, bad_smiles)


def is_molecules(name_or_path: str) -> bool:
    """Whether a name or path is of molecules: registered as such, or a CSV with column smiles."""
    if name_or_path in registry.names():
        return name_or_path in registry.names("molecules")
    path = Path(os.path.expanduser(name_or_path))
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        if len(tables) != 1 or not (path / SPLITS).is_file():
            return False
        path = tables[0]
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open("rb") as stream:
        first = stream.readline(1 << 16).decode("utf-8", errors="replace")
    return SMILES in [word.strip().strip('"').lower() for word in first.split(",")]


def _load_file(path: Path, bad_smiles: BadSmiles) -> MoleculeData:
    table = read_table(path, (SMILES,))
    names = tuple(name for name in table.frame.columns if name != SMILES)
    if not names:
        raise FormatError("no column of labels", remedy="add one with 0 and 1", where=f"{path}:1")
    smiles = [text.strip() for text in table.column(SMILES)]
    labels = np.stack([_labels(table, name) for name in names], 1)
    notes = []
    bad = unreadable(smiles)
    if bad and bad_smiles == "refuse":
        raise FormatError(
            f"{len(bad)} SMILES cannot be read, the first: {reason_unreadable(smiles[bad[0]])}",
            remedy="correct it, or leave such rows out with --set bad_smiles=skip",
            where=table.where(bad[0]),
        )
    if bad:
        rows = ", ".join(str(table.line(i)) for i in bad[:SHOWN]) + (
            ", …" if len(bad) > SHOWN else ""
        )
        first = reason_unreadable(smiles[bad[0]])
        notes.append(
            f"warning: {len(bad)} of {len(smiles):,} molecules left out whose SMILES cannot be "
            f"read (lines {rows} of {path.name}; {first})"
        )
        kept = np.setdiff1d(np.arange(len(smiles)), bad)
        smiles, labels = [smiles[i] for i in kept], labels[kept]
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
    )


def _labels(table: Table, name: str) -> np.ndarray:
    """Read a column of 0, 1 and nothing."""
    kinds = {"": UNMEASURED, "0": 0, "1": 1, "0.0": 0, "1.0": 1}
    column = table.frame[name]
    read = column.str.strip_chars().replace_strict(kinds, default=None, return_dtype=pl.Int8)
    if wrong := read.is_null().arg_true().to_list():
        raise FormatError(
            f"{shorten(column[wrong[0]])} in column {name!r} is neither 0 nor 1",
            remedy="write 1 for active, 0 for inactive, nothing for not measured",
            where=table.where(wrong[0]),
        )
    return read.to_numpy()


def _splits(path: Path, names: tuple[str, ...]) -> tuple[IntArray, IntArray]:
    """Read which tasks are for training and which for test."""
    place = path.parent / SPLITS
    if not place.is_file():
        return np.arange(len(names), dtype=np.int32), np.empty(0, np.int32)
    try:
        content = read_json(place)
        content = content.get(path.stem, content)
        train, test = (
            checked(list[int | str], content[part], f"{place}: {part}")
            for part in ("train_tasks", "test_tasks")
        )
        return _tasks(train, names), _tasks(test, names)
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FormatError(
            f"no train_tasks and test_tasks of {path.name} ({error!r})",
            remedy='write {"train_tasks": ["A", "B"], "test_tasks": ["C"]}',
            where=str(place),
        ) from None


def _tasks(given: list[int | str], names: tuple[str, ...]) -> IntArray:
    """Numbers of tasks that are given by name or number."""
    numbers = [names.index(task) if isinstance(task, str) else task for task in given]
    if any(not 0 <= number < len(names) for number in numbers):
        raise ValueError(f"a task outside 0 … {len(names) - 1}")
    return np.array(numbers, np.int32)
