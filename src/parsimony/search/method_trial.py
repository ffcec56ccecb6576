"""A trial of a tuning: a method trained with some settings, for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from parsimony.base import Estimator, Task
from parsimony.decoding import checked, parse_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.methods import resolve
from parsimony.search.tpe import Settings
from parsimony.search.trial import Trial, TrialResult

__all__ = ["MethodTrial", "SettingsText", "settings_of"]

AnyEstimator = Estimator[Any, Any]


@dataclass(frozen=True)
class MethodTrial:
    """Trains a method with some settings for a while; the best look at validation is its figure.

    Parameters
    ----------
    task
        With validation.
    method
        Its name.
    given
        Parameters that every trial has.
    """

    task: Task
    method: str
    given: dict[str, Any]

    def __call__(
        self, structure: Settings, *, seed: int, epochs: int, dim: int, entities: float = 1.0,
        seconds: float | None = None,
    ) -> TrialResult:  # fmt: skip
        """See :class:`parsimony.search.trial.Evaluate`."""
        begin = time.perf_counter()
        model = self.trained(structure, seed, epochs, seconds, entities)
        cost = model.cost_.as_dict()
        figure = model.selection_score()
        return TrialResult(
            figure, time.perf_counter() - begin, model.parameters_count_, len(model.history_),
            cost["flops"], cost["cpu_seconds"],
        )  # fmt: skip

    def trained(
        self, settings: Settings, seed: int, epochs: int, seconds: float | None, part: float = 1.0
    ) -> AnyEstimator:
        """Train; the task's own part where only a part is to be seen."""
        cls = resolve(self.method)
        task = self.task if part == 1 else self.task.part(part, seed=seed)
        own = {"seed": seed} if "seed" in cls.Parameters.model_fields else {}
        limit = epochs if "epochs" in cls.Parameters.model_fields else None
        return cls(**{**self.given, **own, **settings}).fit(task, epochs=limit, time_budget=seconds)


class SettingsText:
    """Settings as text: JSON, by name."""

    @staticmethod
    def text(structure: Settings) -> str:
        """Print settings in one line; equal ones print alike."""
        return json_text({name: structure[name] for name in sorted(structure)})


def settings_of(trial: Trial) -> Settings:
    """Read the settings of a trial.

    Raises
    ------
    CorruptRun
        They are no table.
    """
    how: dict[str, Any] = {"error": CorruptRun, "remedy": "remove the line of this trial"}
    read = parse_json(trial.structure.encode(), "search/trials.jsonl", **how)
    return checked(Settings, read, "search/trials.jsonl", **how)
