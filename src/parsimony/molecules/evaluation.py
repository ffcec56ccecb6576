"""The scores of all episodes of a split, and the measures of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.metrics.multilabel import roc_auc
from parsimony.molecules.adapted import Adapted, FloatArray, IntArray, LabelArray
from parsimony.molecules.episodes import evaluation_episodes
from parsimony.molecules.task import MoleculeTask
from parsimony.run.progress import Progress

__all__ = ["EpisodeScores", "Scored", "measure_episodes", "paired"]


@dataclass(frozen=True, eq=False)
class Scored:
    """One episode's queries: the task, their labels (n,) and scores (n,)."""

    task: int
    answers: LabelArray
    score: FloatArray

    @cached_property
    def roc_auc(self) -> float:
        """Over all queries."""
        return roc_auc(self.answers == 1, self.score)


@dataclass(frozen=True, eq=False)
class EpisodeScores:
    """All episodes of a split with one number of shots.

    Attributes
    ----------
    parts : tuple of Scored
        Ordered by episode, then by task.
    episodes : int
    adapted_parameters : int
        Of one task.
    seconds_per_task : float
        Median wall seconds of adapting to a support and scoring its queries.
    """

    parts: tuple[Scored, ...]
    episodes: int
    adapted_parameters: int
    seconds_per_task: float

    @cached_property
    def table(self) -> npt.NDArray[np.float64]:
        """ROC-AUC, (episodes, tasks)."""
        return np.array([part.roc_auc for part in self.parts]).reshape(self.episodes, -1)

    @property
    def roc_auc(self) -> float:
        """The mean over tasks and episodes."""
        return float(self.table.mean())

    @property
    def std(self) -> float:
        """Standard deviation over episodes (n − 1) of the mean over tasks; 0 for one episode."""
        return float(self.table.mean(1).std(ddof=1)) if self.episodes > 1 else 0.0

    @property
    def n_queries(self) -> int:
        """Scored molecules in all."""
        return sum(len(part.answers) for part in self.parts)

    def as_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return ``roc_auc`` (episodes, tasks) and ``per_task``; a name for every column."""
        table, first = self.table, self.parts[: len(self.parts) // self.episodes]
        return {
            "roc_auc": table.tolist(),
            "per_task": [
                {
                    "task": names[part.task],
                    "roc_auc": float(table[:, i].mean()),
                    "std": float(table[:, i].std(ddof=1)) if self.episodes > 1 else 0.0,
                    "queries": len(part.answers),
                    "active": int(part.answers.sum()),
                }
                for i, part in enumerate(first)
            ],
        }


def measure_episodes(
    task: MoleculeTask,
    split: str,
    shots: int,
    adapt: Callable[[IntArray, LabelArray], Adapted],
    *,
    episodes: int | None = None,
    seed: int = 0,
    quiet: bool = True,
) -> EpisodeScores:
    """Adapt to the support of every episode and score its queries.

    Raises
    ------
    EmptySplit
        No task of the split has more than ``shots`` molecules of either class.
    """
    n_tasks = len(task.drawable(split, shots))
    if not n_tasks:
        raise EmptySplit(
            f"no {split} task has more than {shots} molecules of either class",
            remedy="name tasks in task_splits.json, or set fewer shots",
        )
    number = task.options.episodes if episodes is None else episodes
    parts, seconds, adapted_parameters = [], [], 0
    with Progress(number * n_tasks, f"{shots}-shot {split}", quiet=quiet) as progress:
        for episode in evaluation_episodes(task, split, shots, episodes=number, seed=seed):
            begin = time.perf_counter()
            adapted = adapt(episode.support, episode.labels)
            score = adapted.score(episode.queries)
            seconds.append(time.perf_counter() - begin)
            parts.append(Scored(episode.task, episode.answers, score))
            adapted_parameters = max(adapted_parameters, adapted.parameters)
            progress.advance(1)
    return EpisodeScores(tuple(parts), number, adapted_parameters, float(np.median(seconds)))


def paired(
    ours: npt.ArrayLike, theirs: npt.ArrayLike, *, draws: int = 10_000, seed: int = 0
) -> dict[str, float]:
    """Compare two methods on the same episodes.

    Parameters
    ----------
    ours, theirs
        ROC-AUC (episodes, tasks) of ``evaluate(...)["shots"][K]["roc_auc"]``.

    Returns
    -------
    dict
        ``difference`` of the means, its 95 % interval ``low`` … ``high`` over draws of the
        episodes, and ``worse``, the fraction of draws in which ours is not better.

    Raises
    ------
    InvalidParameter
        Tables of different shapes.
    """
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape or a.ndim != 2:
        raise InvalidParameter(f"not the same episodes: {a.shape} and {b.shape}")
    gains = (a - b).mean(1)
    rows = np.random.default_rng(seed).integers(len(gains), size=(draws, len(gains)))
    means = gains[rows].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "difference": float(gains.mean()),
        "low": float(low),
        "high": float(high),
        "worse": float((means <= 0).mean()),
    }
