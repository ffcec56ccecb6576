"""The steps of a loop on disk: one that was killed runs none of the finished ones again."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from parsimony.decoding import checked, read_json, read_toml
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.knowledge.book import KnowledgeBook, book_from_table, write_book
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.search.settings import Rung
from parsimony.search.trial import Trial
from parsimony.search.trials import TrialStore

__all__ = ["StepStore"]

_RUNG = Rung(1, 1)
_REMEDY = "remove the file: its step is done again"


class StepStore:
    """``search/trials.jsonl`` with a row for each step, and what it gave beside it.

    A context manager that holds the folder's lock.

    Parameters
    ----------
    folder
        Of the run.
    subject, resume
        As of :class:`parsimony.search.trials.TrialStore`.
    seed
    deadline
        Of the whole; wall time goes on where the last finished step ended.
    """

    def __init__(
        self,
        folder: Path,
        subject: dict[str, Any],
        *,
        resume: bool,
        seed: int,
        deadline: Deadline,
    ) -> None:
        self.folder, self._seed = folder / "search", seed
        self._steps = TrialStore(self.folder, subject, resume=resume)
        self._before = max((trial.at for trial in self._steps), default=0.0)
        self._deadline = deadline
        self.deadline = deadline.after(self._before)
        self._since = time.perf_counter()
        self._books: dict[str, KnowledgeBook] = {}

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the folder back."""
        self._steps.close()

    @property
    def spent(self) -> float:
        """Wall seconds of all parts."""
        return self._before + self._deadline.spent()

    def seconds(self, step: str) -> float | None:
        """What a finished step took; None where it is still to be done."""
        trial = self._steps.find(step, self._seed, _RUNG)
        return None if trial is None else trial.seconds

    def wants(self, step: str, *files: str) -> bool:
        """Whether a step is still to be done: it was not, or a file that it wrote is gone."""
        gone = any(not (self.folder / name).exists() for name in files)
        return gone or self.seconds(step) is None

    def done(self, step: str, valid: float = 0.0) -> float:
        """Write that a step is done, once its files are; returns the seconds since the last one."""
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        self._steps.append(
            Trial(
                structure=step, canonical=step, seed=self._seed, epochs=1, dim=1, valid=valid,
                seconds=seconds, parameters=0, ran=0, stage=step, origin="start", predicted=None,
                at=self.spent,
            )
        )  # fmt: skip
        return seconds

    def book(self, name: str) -> KnowledgeBook:
        """Read a book that a step wrote, perhaps in this process."""
        if name not in self._books:
            path = self.folder / f"{name}.toml"
            table = read_toml(path, error=CorruptRun, remedy=_REMEDY)
            self._books[name] = book_from_table(table, str(path))
        return self._books[name]

    def keep_book(self, name: str, book: KnowledgeBook) -> None:
        """Write a book atomically."""
        write_book(book, self.folder / f"{name}.toml")
        self._books[name] = book

    def read(self, name: str) -> dict[str, Any]:
        """Read what a step told."""
        path = self.folder / f"{name}.json"
        value = read_json(path, error=CorruptRun, remedy=_REMEDY)
        found: dict[str, Any] = checked(dict[str, Any], value, str(path), error=CorruptRun)
        return found

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Write what a step tells, atomically."""
        write_atomic(self.folder / f"{name}.json", json_text(value) + "\n")
