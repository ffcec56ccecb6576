"""Molecules with measured properties: SMILES, a table of labels, training and test tasks."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.datasets.saved_table import SavedTable, read_table, write_table
from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter

__all__ = ["MoleculeData"]

IntArray = npt.NDArray[np.int32]
UNMEASURED = -1


class _Saved(SavedTable):
    """meta.json."""

    smiles: list[str]
    task_names: list[str]
    train_tasks: list[int]
    test_tasks: list[int]


@dataclass(frozen=True, eq=False)
class MoleculeData:
    """Molecules and what was measured of them.

    Attributes
    ----------
    name : str
    smiles : tuple of str
        One per molecule; all can be read.
    labels : int8 array, shape (n_molecules, n_tasks)
        1 active, 0 inactive, −1 not measured.
    task_names : tuple of str
        One property each.
    train_tasks, test_tasks : int32 arrays
        Columns of the properties that a model may learn from, and of those it is tested on.
    notes : tuple of str
        What a user should know.
    source : str
    registered : bool
        Whether ``name`` is a registered dataset, so that its presets apply.

    Raises
    ------
    InvalidParameter
        Labels of another shape or value, a task outside the table or in both lists.
    """

    name: str
    smiles: tuple[str, ...]
    labels: npt.NDArray[np.int8]
    task_names: tuple[str, ...]
    train_tasks: IntArray
    test_tasks: IntArray
    notes: tuple[str, ...] = ()
    source: str = ""
    registered: bool = False

    def __post_init__(self) -> None:
        """Freeze the arrays and check that they belong together."""
        shape = (len(self.smiles), len(self.task_names))
        labels = np.array(self.labels, np.int8)
        if labels.shape != shape or not np.isin(labels, (-1, 0, 1)).all():
            raise InvalidParameter(
                f"labels must be -1, 0 or 1, one row per molecule and one column per task {shape}. "
                f"Got shape {labels.shape}"
            )
        tasks: dict[str, IntArray] = {}
        for part in ("train_tasks", "test_tasks"):
            rows = np.array(getattr(self, part), np.int32).reshape(-1)
            if len(rows) and (rows.min() < 0 or rows.max() >= shape[1]):
                raise InvalidParameter(f"{part} must be columns 0 … {shape[1] - 1} of the labels")
            tasks[part] = rows
        both = sorted(set(tasks["train_tasks"].tolist()) & set(tasks["test_tasks"].tolist()))
        if both:
            raise InvalidParameter(
                f"a task is either for training or for test: {self.task_names[both[0]]!r}"
            )
        arrays: dict[str, npt.NDArray[Any]] = {"labels": labels, **tasks}
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        """Show the name and the counts."""
        return (
            f"MoleculeData({self.name}: {self.n_molecules:,} molecules, {self.n_tasks} tasks, "
            f"{len(self.train_tasks)} to train and {len(self.test_tasks)} to test)"
        )

    @property
    def n_molecules(self) -> int:
        """The number of molecules."""
        return len(self.smiles)

    @property
    def n_tasks(self) -> int:
        """The number of properties, including those that are neither for training nor for test."""
        return len(self.task_names)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything that a model could see; names of the data do not count."""
        digest = hashlib.sha256()
        for names in (self.smiles, self.task_names):
            digest.update(json_text(names).encode())
        for array in (self.labels, self.train_tasks, self.test_tasks):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def measured(self, task: int) -> npt.NDArray[np.int64]:
        """Return the molecules that were measured in a task, ascending."""
        return np.flatnonzero(self.labels[:, task] != UNMEASURED)

    def counts(self, task: int) -> tuple[int, int]:
        """Return the inactive and the active molecules of a task."""
        column = self.labels[:, task]
        return int((column == 0).sum()), int((column == 1).sum())

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``labels.npy`` and ``meta.json`` into ``folder``, made if absent; that one last."""
        write_table(folder, {"labels": self.labels}, {
            "name": self.name,
            "smiles": self.smiles,
            "task_names": self.task_names,
            "train_tasks": self.train_tasks.tolist(),
            "test_tasks": self.test_tasks.tolist(),
            "notes": self.notes,
            "source": self.source,
            "registered": self.registered,
        })  # fmt: skip

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> MoleculeData:
        """Read what :meth:`save` wrote.

        Raises
        ------
        MissingFile, NotAFile, EncodingError, FormatError
            ``where`` names the file.
        """
        with read_table(folder, "table of molecules", _Saved) as (meta, array):
            for name in ("smiles", "task_names", "notes"):
                meta[name] = tuple(meta[name])
            return cls(labels=array("labels"), **meta)
