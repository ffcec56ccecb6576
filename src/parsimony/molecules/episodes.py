"""Episodes: N-way K-shot supports drawn from a task; the other molecules are queries.

Protocol of O. Vinyals et al., Matching Networks for One Shot Learning, NeurIPS 2016, for binary
properties as in PAR (arXiv 2107.07994): K molecules of each class are the support, all remaining
molecules of the task are the queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.molecules.data import UNMEASURED
from parsimony.molecules.task import MoleculeTask
from parsimony.run.seeds import rng

__all__ = ["Episode", "draw_support", "evaluation_episodes", "training_episode"]

IntArray = npt.NDArray[np.int64]
LabelArray = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Episode:
    """One support of one task and its queries.

    Attributes
    ----------
    task : int
        Column of the property.
    support : int64 array, shape (2 K,)
        Molecules, the inactive ones first.
    labels : int8 array, shape (2 K,)
        Of the support: 0 inactive, 1 active.
    queries : int64 array, shape (n,)
        Molecules measured in the task, none of the support.
    answers : int8 array, shape (n,)
        Their labels.
    """

    task: int
    support: IntArray
    labels: LabelArray
    queries: IntArray
    answers: LabelArray


def draw_support(
    labels: npt.NDArray[np.integer], shots: int, generator: np.random.Generator
) -> IntArray:
    """Draw ``shots`` places of each class without replacement, class by class.

    Parameters
    ----------
    labels : int array, shape (n,)
        Classes 0 … N − 1; negative ones are not measured and not drawn.
    shots
        K of each class.

    Raises
    ------
    InvalidParameter
        A class has fewer than ``shots`` members.
    """
    drawn = []
    for label in np.unique(labels[labels >= 0]):
        places = np.flatnonzero(labels == label)
        if len(places) < shots:
            raise InvalidParameter(
                f"class {label} has {len(places)} members, fewer than {shots} shots",
                remedy="--set shots=N with a smaller N",
            )
        drawn.append(generator.choice(places, shots, replace=False))
    return np.concatenate(drawn).astype(np.int64)


def evaluation_episodes(
    task: MoleculeTask, split: str, shots: int, *, episodes: int | None = None, seed: int = 0
) -> Iterator[Episode]:
    """Yield the seeded episodes of a split, task by task within an episode number.

    The same seed, split and shots give the same supports for all methods; queries are all other
    measured molecules of the task. Where the task keeps molecules unseen, these alone are queries
    and supports are drawn from the others.

    Parameters
    ----------
    split
        "train", "valid" or "test".
    episodes
        Supports of each task; by default those of the task's options.
    """
    tasks = task.drawable(split, shots).tolist()
    for number in range(task.options.episodes if episodes is None else episodes):
        for column in tasks:
            generator = rng(seed, "episode", split, shots, number, column)
            yield _episode(task, column, shots, generator, None)


def training_episode(
    task: MoleculeTask,
    shots: int,
    n_queries: int,
    generator: np.random.Generator,
    *,
    column: int | None = None,
    balanced: bool = False,
) -> Episode:
    """Draw an episode of a training task.

    Parameters
    ----------
    n_queries
        Most queries, drawn from the molecules outside the support.
    column
        The task; by default a training task with enough molecules, drawn uniformly.
    balanced
        Draw half of the queries from each class where there are enough.

    Raises
    ------
    InvalidParameter
        No training task has enough molecules of either class.
    """
    if column is None:
        tasks = task.drawable("train", shots)
        if not len(tasks):
            raise InvalidParameter(
                f"no training task has more than {shots} molecules of either class",
                remedy="--set shots=N with a smaller N",
            )
        column = int(generator.choice(tasks))
    episode = _episode(task, column, shots, generator, None if balanced else n_queries, True)
    if not balanced:
        return episode
    parts = []
    for label in (0, 1):
        places = np.flatnonzero(episode.answers == label)
        parts.append(generator.permutation(places)[: n_queries // 2])
    kept = np.concatenate(parts)
    return Episode(
        column, episode.support, episode.labels, episode.queries[kept], episode.answers[kept]
    )


def _episode(
    task: MoleculeTask,
    column: int,
    shots: int,
    generator: np.random.Generator,
    n_queries: int | None,
    training: bool = False,
) -> Episode:
    measured = task.data.measured(column)
    labels = task.data.labels[measured, column]
    unseen = task.unseen[measured]
    places = draw_support(np.where(unseen, UNMEASURED, labels), shots, generator)
    rest = np.delete(np.arange(len(measured)), places)
    if unseen.any():
        rest = rest[~unseen[rest]] if training else rest[unseen[rest]]
    if n_queries is not None and n_queries < len(rest):
        rest = np.sort(generator.choice(rest, n_queries, replace=False))
    return Episode(column, measured[places], labels[places], measured[rest], labels[rest])
