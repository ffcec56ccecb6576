"""Cold start: a model meets users that it never saw, through a few of their ratings.

A user is a task: support ratings are given, query ratings are to be predicted. Train, validation
and test users are disjoint. Of the training users a seeded share of query ratings is held out from
training: these are the *warm* questions, reported apart from those of new (cold) users.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony.base import TaskOptions
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.metrics.bootstrap import bootstrap_interval
from parsimony.metrics.rating import RATING_MEASURES, measure_user
from parsimony.ratings.data import SPLITS, RatingData
from parsimony.run.seeds import rng

__all__ = ["ColdStartOptions", "ColdStartTask", "Person"]

FloatArray = npt.NDArray[np.float32]
SEED = 0  # of held-out and redrawn ratings: the same for all methods and seeds


class ColdStartOptions(TaskOptions):
    """Options of the task, given by ``--set`` beside the method's parameters."""

    support: int = Field(20, ge=1, description="ratings given of a user, of unsplit data, ≥ 1")
    warm: float = Field(
        0.1, ge=0, lt=1, description="share of training users' queries held out, [0, 1)"
    )
    redraws: int = Field(
        4, ge=0, description="further supports drawn of every validation user, for choosing, ≥ 0"
    )
    others: bool = Field(
        True, description="whether users of ratings.tsv who are no task of tasks.tsv teach as well"
    )
    most_ratings: int = Field(
        100, ge=2, description="ratings of a training user that are used as a task, ≥ 2"
    )


@dataclass(frozen=True)
class Person:
    """One user's ratings.

    Attributes
    ----------
    user : int
        Number in the data; −1 of somebody who is not there.
    items : int32 array, shape (n,)
    ratings : float32 array, shape (n,)
        In [0, 1].
    query : bool array, shape (n,)
        What is to be predicted; the others are given.
    """

    user: int
    items: npt.NDArray[np.int32]
    ratings: FloatArray
    query: npt.NDArray[np.bool_]


class ColdStartTask:
    """Data and protocol of cold-start recommendation.

    Parameters
    ----------
    data
    options

    Raises
    ------
    EmptySplit
        No training user.
    """

    name = "coldstart"

    def __init__(self, data: RatingData, options: ColdStartOptions | None = None) -> None:
        self.data, self.options = data, options or ColdStartOptions()
        train = data.split[data.user] == 0
        if not train.any():
            raise EmptySplit("no training users", remedy="give ratings of users to learn from")
        asked = np.flatnonzero(train & data.query)
        held = rng(SEED, "warm").permutation(asked)[: round(self.options.warm * len(asked))]
        #: rows of the table that training may not see, of training users
        self.held = np.isin(np.arange(len(data.user)), held)
        #: rows of the table that training may see
        self.known = train & ~self.held

    def __repr__(self) -> str:
        """Show the data and the number of users."""
        counts = ", ".join(f"{len(self.people(s)):,} {s}" for s in (*SPLITS, "warm"))
        return f"ColdStartTask({self.data.name}: users {counts})"

    @property
    def n_labels(self) -> int:
        """Ratings that training may see."""
        return int(self.known.sum())

    @cached_property
    def mean(self) -> float:
        """Mean of the known ratings, in [0, 1]."""
        return float(self.data.scaled[self.known].mean())

    def has(self, split: str) -> bool:
        """Whether a split has a question."""
        return bool(self.people(split))

    def people(self, split: str) -> list[Person]:
        """Return the users of "train", "valid", "test", or "warm" who have a rating to predict.

        Raises
        ------
        InvalidParameter
            Another word.
        """
        if split not in (*SPLITS, "warm"):
            raise InvalidParameter(
                f"split must be train, valid, test or warm. Got {split!r}", remedy="--split test"
            )
        return self._people[split]

    @cached_property
    def _people(self) -> dict[str, list[Person]]:
        data = self.data
        found: dict[str, list[Person]] = {split: [] for split in (*SPLITS, "warm")}
        draw = rng(SEED, "ratings of a task")
        for user, rows in enumerate(data.rows):
            split = SPLITS[data.split[user]]
            if split == "train":
                warm = rows[self.held[rows] | ~data.query[rows]]
                self._add(found["warm"], user, warm, self.held[warm])
                rows = rows[self.known[rows]]
                if len(rows) > self.options.most_ratings:
                    rows = np.sort(draw.permutation(rows)[: self.options.most_ratings])
            self._add(found[split], user, rows, data.query[rows])
        return found

    def _add(
        self, people: list[Person], user: int, rows: npt.NDArray[np.int64],
        query: npt.NDArray[np.bool_],
    ) -> None:  # fmt: skip
        if query.any():
            people.append(Person(user, self.data.item[rows], self.data.scaled[rows], query))

    def choosing(self) -> list[Person]:
        """Return validation users once as they are and ``redraws`` times with another support.

        More questions to the same people: what is chosen on them depends less on which ratings
        happened to be the support. Users without any rating given stay as they are.
        """
        people = list(self.people("valid"))
        for number in range(self.options.redraws):
            draw = rng(SEED, "redraw", number)
            for person in self.people("valid"):
                query = draw.permutation(person.query)
                people.append(Person(person.user, person.items, person.ratings, query))
        return people

    def without_support(self, split: str) -> int:
        """How many users of a split have no rating given."""
        return sum(bool(person.query.all()) for person in self.people(split))

    # ---- measuring ---------------------------------------------------------------------------

    def measure(
        self, people: list[Person], predictions: list[npt.NDArray[Any]]
    ) -> dict[str, FloatArray]:
        """Measure predictions in [0, 1] of every person's queries, in units of the ratings.

        Returns
        -------
        dict
            Name of the measure to its value for every person, (n,).
        """
        low, high = self.data.scale
        rows = [
            measure_user(
                low + (high - low) * person.ratings[person.query].astype(np.float64),
                low + (high - low) * np.clip(np.asarray(predicted, np.float64), 0, 1),
            )
            for person, predicted in zip(people, predictions, strict=True)
        ]
        columns = np.array(rows, np.float64).reshape(-1, len(RATING_MEASURES)).T
        return dict(zip(RATING_MEASURES, columns, strict=True))

    def skill(self, measured: dict[str, FloatArray], people: list[Person]) -> float:
        """1 − MSE / MSE of the training mean: what a search maximises; 0 is no better than that."""
        plain = self.measure(people, [np.full(int(p.query.sum()), self.mean) for p in people])
        return float(1 - measured["mse"].mean() / max(plain["mse"].mean(), 1e-12))

    @staticmethod
    def summary(measured: dict[str, FloatArray]) -> dict[str, Any]:
        """Means over users, with bootstrap intervals over users."""
        return {
            "metrics": {name: float(values.mean()) for name, values in measured.items()},
            "interval": {name: bootstrap_interval(values) for name, values in measured.items()},
        }

    @staticmethod
    def gains(better: dict[str, FloatArray], other: dict[str, FloatArray]) -> dict[str, Any]:
        """How much better one model is than another, in pairs, with bootstrap intervals over users.

        Errors count as the other's less the better one's, nDCG the other way round.
        """
        found = {}
        for name, values in other.items():
            gap = better[name] - values if name.startswith("ndcg") else values - better[name]
            found[name] = {"mean": float(gap.mean()), "interval": bootstrap_interval(gap)}
        return found

    # ---- persistence -------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the data into a run folder."""
        self.data.save(folder)

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any]) -> Self:
        """Read what :meth:`save` wrote, with the options of config.toml."""
        return cls(RatingData.load(folder), ColdStartOptions.of(options))
