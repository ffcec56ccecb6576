"""The data of a frontier, opened once in a process, and the methods that learn from them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from parsimony.base import Estimator, Task
from parsimony.decoding.strict_json import json_text
from parsimony.errors import EmptySplit, ParsimonyError
from parsimony.frontier.row import Subject
from parsimony.methods import resolve
from parsimony.problems import open_task

__all__ = ["AnyEstimator", "estimator_of", "opened", "words_of"]

AnyEstimator = Estimator[Any, Any]


@lru_cache(maxsize=2)
def _task(data: str, kind: str, options: str, mirror: str | None,
          columns: tuple[str, str, str] | None, seed: int) -> Task:  # fmt: skip
    """Of this process: opened once for all runs."""
    task = open_task(kind, data, json.loads(options), mirror=mirror, columns=columns, seed=seed)
    return task.unregistered()


def opened(subject: Subject) -> Task:
    """Return the task of a frontier, without the presets of a registered dataset."""
    return _task(
        subject.data, subject.kind, json_text(subject.options), subject.mirror, subject.columns,
        subject.seed,
    )  # fmt: skip


def estimator_of(method: str, settings: dict[str, Any], seed: int) -> AnyEstimator:
    """Make a method at a size, with the seed where it takes one."""
    cls = resolve(method)
    own = {"seed": seed} if "seed" in cls.Parameters.model_fields else {}
    return cls(**{**own, **settings})


def words_of(error: Exception) -> str:
    """What an error says."""
    if isinstance(error, EmptySplit | ParsimonyError):
        return f"{error.message}; {error.remedy}" if error.remedy else error.message
    return f"{type(error).__name__}: {error}"
