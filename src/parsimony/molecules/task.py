"""Few-shot prediction of molecular properties: training, validation and test tasks.

A task is one binary property. A model learns from the training tasks; its settings are chosen on
validation tasks, drawn from the training tasks by a seed; it is tested on tasks of neither kind.
Molecules are shared between tasks, as published (PAR, arXiv 2107.07994; PACIA, arXiv 2310.00614):
a model may have seen a query molecule's labels in training tasks, never its label in the task that
is tested.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from parsimony.base import Data, Task, TaskOptions
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.molecules.data import UNMEASURED, MoleculeData
from parsimony.molecules.table import load_molecules
from parsimony.run.seeds import rng

__all__ = ["MoleculeOptions", "MoleculeTask"]

IntArray = npt.NDArray[np.int32]
VALID_FRACTION = 0.2
SPLIT_SEED = 0  # of the draw of validation tasks: the same for all methods and seeds


class MoleculeOptions(TaskOptions):
    """Options of the task, given by ``--set`` beside the method's parameters."""

    shots: tuple[int, ...] = Field(
        (10, 1), min_length=1, description="molecules of each class in a support"
    )
    episodes: int = Field(
        10, ge=1, le=10_000,
        description="supports drawn from each validation and test task, 1 … 10,000",
    )  # fmt: skip
    valid_tasks: int | None = Field(
        None, ge=0, description="validation tasks; by default a fifth of the training tasks"
    )
    unseen: float = Field(
        0.0, ge=0, lt=1, description="fraction of molecules kept out of training, which alone are "
        "queries; 0 as published: every molecule trains some tasks and is a query of others",
    )  # fmt: skip
    bad_smiles: Literal["skip", "refuse"] = Field(
        "skip", description="molecules whose SMILES cannot be read: skip or refuse"
    )
    ignore: tuple[str, ...] | None = Field(
        None, description="columns of the table to leave out; those without labels are anyway"
    )

    @field_validator("ignore", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("shots", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("shots")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1:
            raise ValueError("shots must be at least 1")
        return tuple(dict.fromkeys(value))


class MoleculeTask(Task):
    """Data and protocol of few-shot molecular property prediction.

    Parameters
    ----------
    data
    options

    Raises
    ------
    EmptySplit
        No task to learn from.
    InvalidParameter
        More validation tasks than training tasks, or a fraction unseen that is no molecule.
    """

    kind: ClassVar[str] = "molecules"
    Options: ClassVar[type[TaskOptions]] = MoleculeOptions

    def __init__(self, data: MoleculeData, options: MoleculeOptions | None = None) -> None:
        self.data, self.options = data, options or MoleculeOptions()
        tasks = data.train_tasks
        if not len(tasks):
            raise EmptySplit("no training tasks", remedy="name some in task_splits.json")
        n_valid = self.options.valid_tasks
        if n_valid is None:
            n_valid = min(max(round(VALID_FRACTION * len(tasks)), 1), len(tasks) - 1)
        if n_valid >= len(tasks):
            raise InvalidParameter(
                f"{n_valid} validation tasks leave none of {len(tasks)} to train on",
                remedy="--set valid_tasks=N with a smaller N",
            )
        drawn = rng(SPLIT_SEED, "validation tasks").permutation(len(tasks))[:n_valid]
        held = np.isin(np.arange(len(tasks)), drawn)
        self.train_tasks: IntArray = tasks[~held]
        self.valid_tasks: IntArray = tasks[held]
        self.test_tasks: IntArray = data.test_tasks
        n_unseen = round(self.options.unseen * data.n_molecules)
        if self.options.unseen and not n_unseen:
            raise InvalidParameter(
                f"unseen={self.options.unseen:g} keeps none of {data.n_molecules:,} molecules out",
                remedy="--set unseen=0.2, or leave it out",
            )
        drawn = rng(SPLIT_SEED, "unseen molecules").permutation(data.n_molecules)[:n_unseen]
        #: molecules that are kept out of training, (n_molecules,)
        self.unseen: npt.NDArray[np.bool_] = np.isin(np.arange(data.n_molecules), drawn)

    def __repr__(self) -> str:
        """Show the data and the number of tasks."""
        counts = ", ".join(f"{len(self.tasks(part))} {part}" for part in ("train", "valid", "test"))
        return f"MoleculeTask({self.data.name}: tasks {counts}; shots {self.options.shots})"

    def tasks(self, split: str) -> IntArray:
        """Return the tasks of "train", "valid" or "test"; no task is in two of them.

        Raises
        ------
        InvalidParameter
            Another word.
        """
        if split not in ("train", "valid", "test"):
            raise InvalidParameter(
                f"split must be 'train', 'valid' or 'test'. Got {split!r}",
                remedy="use one of these",
            )
        tasks: IntArray = getattr(self, f"{split}_tasks")
        return tasks

    def has(self, split: str) -> bool:
        """Whether a split has a task that supports can be drawn from."""
        return bool(len(self.drawable(split, min(self.options.shots))))

    def drawable(self, split: str, shots: int) -> IntArray:
        """Return the tasks of a split that have a query of each class beside a support."""
        held = split != "train" and self.unseen.any()

        def enough(task: int) -> bool:
            column = self.data.labels[:, task]
            if held:  # supports are drawn from the others, queries are the unseen ones
                queries = column[self.unseen]
                if not ((queries == 0).any() and (queries == 1).any()):
                    return False
            labels = self.visible_labels[:, task]
            least = min((labels == 0).sum(), (labels == 1).sum())
            return bool(least >= shots + (not held))

        return np.array([t for t in self.tasks(split) if enough(int(t))], np.int32)

    @cached_property
    def visible_labels(self) -> npt.NDArray[np.int8]:
        """Labels (n_molecules, n_tasks); those of the unseen molecules are left out."""
        labels = self.data.labels.copy()
        labels[self.unseen] = UNMEASURED
        labels.flags.writeable = False
        return labels

    @cached_property
    def train_labels(self) -> npt.NDArray[np.int8]:
        """Labels of the training tasks alone, (n_molecules, n_train_tasks)."""
        return self.visible_labels[:, self.train_tasks]

    @property
    def n_labels(self) -> int:
        """Labels that training may see."""
        return int((self.train_labels >= 0).sum())

    @cached_property
    def prevalence(self) -> float:
        """Mean fraction of active molecules over the tasks that may be learned from."""
        fractions = []
        for task in self.data.train_tasks:
            inactive, active = self.data.counts(int(task))
            if inactive + active:
                fractions.append(active / (inactive + active))
        return float(np.clip(np.mean(fractions), 1e-3, 1 - 1e-3)) if fractions else 0.5

    # ---- opening and persistence -------------------------------------------------------------

    @classmethod
    def open(
        cls,
        data: str | os.PathLike[str] | Data,
        settings: Mapping[str, Any],
        *,
        mirror: str | None = None,
        columns: tuple[str, str, str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Make the task of a registered name, a CSV file, a folder, or loaded data.

        Raises
        ------
        InvalidParameter
            Data of another kind, an option outside its limits, or shots that no task can give.
        DataError
            The data are wrong.
        """
        options = MoleculeOptions.taken_from(settings)
        if isinstance(data, str | os.PathLike):
            data = load_molecules(
                data, bad_smiles=options.bad_smiles, ignore=options.ignore or (), mirror=mirror
            )
        if not isinstance(data, MoleculeData):
            raise InvalidParameter(f"not molecules: {data!r}", remedy="give a MoleculeData")
        task = cls(data.distinct(), options)
        task._require_shots()
        task.data = replace(task.data, notes=(*task.data.notes, *task._left_out()))
        return task

    def _require_shots(self) -> None:
        """Refuse shots that were asked for and that no task can give."""
        shots = min(self.options.shots)
        splits = ("train", "valid", "test")
        if "shots" in self.options.model_fields_set and not any(map(self.has, splits)):
            counts = [min(self.data.counts(int(t))) for part in splits for t in self.tasks(part)]
            raise InvalidParameter(
                f"no task has more than {shots:,} molecules of either class; the most is "
                f"{max(counts):,}",
                remedy="--set shots=N with a smaller N",
            )

    def _left_out(self) -> list[str]:
        """Notes on what will not be measured, and why."""
        notes = []
        for split, then in (
            ("valid", ": no setting is chosen and probabilities are not calibrated"), ("test", ""),
        ):  # fmt: skip
            n = len(self.tasks(split))
            if not n:
                notes.append(f"no {split} task: nothing is measured on that split{then}")
                continue
            for shots in self.options.shots:
                drawable = len(self.drawable(split, shots))
                if drawable < n:
                    notes.append(
                        f"{n - drawable} of {n} {split} tasks left out at {shots:,} shots: too few "
                        "molecules of either class"
                    )
            if not self.has(split):
                notes.append(f"nothing is measured on {split} tasks{then}")
        return notes

    def count(self, split: str) -> int:
        """Tasks of a split that episodes can be drawn from, times the episodes."""
        drawable = max(len(self.drawable(split, shots)) for shots in self.options.shots)
        return drawable * self.options.episodes

    def config(self) -> dict[str, Any]:
        """Return the options, which config.toml holds."""
        return {"options": self.options.model_dump(exclude_none=True, mode="json")}

    def save(self, folder: Path) -> None:
        """Write the data into a run folder."""
        self.data.save(folder)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Read what :meth:`save` wrote, with the config.toml of the run."""
        options = MoleculeOptions.of(config["options"], "the task", "option")
        return cls(MoleculeData.load(folder), options)
