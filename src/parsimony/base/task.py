"""The contract of tasks: data, protocol and measures of a problem."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from parsimony.base.parameters import TaskOptions

__all__ = ["Data", "Task"]


class Data(Protocol):
    """What every problem's data have."""

    @property
    def name(self) -> str:
        """How they are called."""

    @property
    def source(self) -> str:
        """Where they are from."""

    @property
    def content_hash(self) -> str:
        """Hash of all that they hold."""

    @property
    def notes(self) -> Sequence[str]:
        """What was reduced, guessed or dropped while they were read."""


class Task(ABC):
    """Data, protocol and measures of a problem.

    Attributes
    ----------
    kind
        "link", "ddi", "molecules" or "coldstart".
    Options
        What ``--set`` takes for the task, beside the parameters of the method.
    """

    kind: ClassVar[str]
    Options: ClassVar[type[TaskOptions]] = TaskOptions

    @property
    def notes(self) -> Sequence[str]:
        """Those of the data, and what a user should know about measures on them."""
        notes: Sequence[str] = self.data.notes  # type: ignore[attr-defined]
        return notes

    def part(self, fraction: float, *, seed: int = 0) -> Self | None:
        """A cheap stand-in: the same problem on a part of its data; None where there is none."""
        return None

    @property
    @abstractmethod
    def n_labels(self) -> int:
        """How many labels training sees."""

    def unregistered(self) -> Self:
        """The same task without the presets of a registered dataset."""
        return self

    @abstractmethod
    def count(self, split: str) -> int:
        """How many independent questions "valid" or "test" asks; 0 where it is empty."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """What config.toml holds of the protocol."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the data into a folder of the run."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Read what :meth:`save` wrote, with the config.toml of the run."""

    @classmethod
    @abstractmethod
    def open(
        cls,
        data: str | os.PathLike[str] | Data,
        settings: Mapping[str, Any],
        *,
        mirror: str | None = None,
        columns: tuple[str, str, str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Make the task of a registered name, a folder, a file, or loaded data."""
