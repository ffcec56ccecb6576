"""Molecules with measured properties: SMILES, a table of labels, training and test tasks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.smiles import canonical_forms
from parsimony.datasets.saved_table import SavedTable, read_table, write_table
from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter

__all__ = ["MoleculeData", "listed"]

IntArray = npt.NDArray[np.int32]
UNMEASURED = -1
SHOWN = 8  # rows that a note lists


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
        One per molecule, as written; all can be read.
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

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """What each molecule is known by: its canonical SMILES (n_molecules,)."""
        return canonical_forms(self.smiles)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of a molecule, the first one, by its canonical SMILES."""
        return {form: row for row, form in reversed(list(enumerate(self.forms)))}

    def distinct(self, places: Sequence[int] | None = None) -> MoleculeData:
        """Return the data with one row per molecule, and a note where there were more.

        A label that is measured in any row of a molecule is its label; one that is 1 in one row and
        0 in another is not measured.

        Parameters
        ----------
        places
            What the note calls the rows: lines of a file; by default their numbers from 1.

        Raises
        ------
        InvalidParameter
            A SMILES that cannot be read.
        """
        if "" in self.forms:
            raise InvalidParameter(
                f"the SMILES {self.smiles[self.forms.index('')]!r} cannot be read",
                remedy="leave the molecule out",
            )
        kept = np.array(sorted(self.row_of.values()), np.int64)
        if len(kept) == self.n_molecules:
            return self
        number = {self.forms[row]: i for i, row in enumerate(kept.tolist())}
        to = np.array([number[form] for form in self.forms])
        found = np.zeros((2, len(kept), self.n_tasks), np.bool_)
        for label in (0, 1):
            np.logical_or.at(found[label], to, self.labels == label)
        labels = np.where(found[1], 1, np.where(found[0], 0, UNMEASURED)).astype(np.int8)
        both = found.all(0)
        labels[both] = UNMEASURED
        word, of = ("lines", places) if places else ("rows", range(1, self.n_molecules + 1))
        again = [of[row] for row in np.setdiff1d(np.arange(self.n_molecules), kept).tolist()]
        note = (
            f"warning: {len(again)} rows repeat a molecule and are joined with its first one "
            f"({word} {listed(again)})"
        )
        if both.any():
            first, task = (int(i) for i in np.argwhere(both)[0])
            note += (
                f"; {both.sum()} labels contradict one another there and count as not measured, "
                f"the first {self.task_names[task]!r} of {self.smiles[kept[first]]!r}"
            )
        return replace(
            self, smiles=tuple(self.smiles[row] for row in kept), labels=labels,
            notes=(*self.notes, note),
        )  # fmt: skip

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


def listed(places: Sequence[int]) -> str:
    """Join the first places of a list."""
    return ", ".join(map(str, places[:SHOWN])) + (", …" if len(places) > SHOWN else "")
