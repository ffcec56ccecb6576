"""Cold-start recommendation: predict the ratings of users that the model never saw from a few.

Each user is a task: the support ratings are given, the query ratings are to be predicted. Train,
validation and test users are disjoint. A seeded fraction of the training users' query ratings is
held out from training: these are the *warm* queries, reported apart from those of new (cold) users.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from parsimony.base import Data, Task, TaskOptions
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.metrics.bootstrap import bootstrap_interval
from parsimony.metrics.guard import checked, require_scores
from parsimony.metrics.rating import RATING_MEASURES, measure_user
from parsimony.ratings.data import SPLITS, RatingData
from parsimony.ratings.table import load_ratings
from parsimony.run.renamed import renamed
from parsimony.run.seeds import rng

__all__ = ["ColdStartOptions", "ColdStartTask", "UserTask"]

FloatArray = npt.NDArray[np.float32]
SEED = 0  # of held-out and redrawn ratings: the same for all methods and seeds


class ColdStartOptions(TaskOptions):
    """Options of the task, given by ``--set`` beside the method's parameters."""

    support: int | None = Field(
        None, ge=1,
        description="support ratings per user, where the data are not split yet, ≥ 1; by default "
        "20, or fewer where few users have 30 ratings",
    )  # fmt: skip
    warm: float = Field(
        0.1, ge=0, lt=1, description="fraction of training users' queries held out, [0, 1)"
    )
    redraws: int = Field(
        4, ge=0, description="additional supports drawn per validation user, for selection, ≥ 0"
    )
    others: bool = Field(
        True, description="whether to train on users of ratings.tsv who have no task in tasks.tsv"
    )
    max_ratings: int = Field(
        100, ge=2, description="ratings of a training user that are used as a task, at most, ≥ 2"
    )
    scale: tuple[float, float] | None = Field(
        None, description="lowest and highest possible rating, as in 1,5; by default those found"
    )

    @field_validator("scale", mode="before")
    @classmethod
    def _two(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("scale")
    @classmethod
    def _ascending(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError("the lowest rating must be below the highest")
        return value


@dataclass(frozen=True)
class UserTask:
    """One user's ratings: the support, and the queries to predict from it.

    Attributes
    ----------
    user : int
        Number in the data; −1 for a user who is not in them.
    items : int32 array, shape (n,)
    ratings : float32 array, shape (n,)
        In [0, 1].
    query : bool array, shape (n,)
        True for what is to be predicted, False for the support.
    """

    user: int
    items: npt.NDArray[np.int32]
    ratings: FloatArray
    query: npt.NDArray[np.bool_]


class ColdStartTask(Task):
    """Data, protocol and measures of cold-start recommendation.

    Parameters
    ----------
    data
        Ratings, with users split into train, validation and test.
    options
        Of the protocol; the defaults where left out.

    Raises
    ------
    EmptySplit
        No training user.
    """

    kind = "coldstart"
    Options: ClassVar[type[TaskOptions]] = ColdStartOptions

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
        counts = ", ".join(f"{len(self.user_tasks(s)):,} {s}" for s in (*SPLITS, "warm"))
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
        return bool(self.user_tasks(split))

    def user_tasks(self, split: str) -> list[UserTask]:
        """Return the tasks of the users of a split who have a rating to predict.

        Parameters
        ----------
        split
            "train", "valid", "test" or "warm".

        Raises
        ------
        InvalidParameter
            Another split.
        """
        if split not in (*SPLITS, "warm"):
            raise InvalidParameter(
                f"split must be train, valid, test or warm. Got {split!r}",
                remedy="use one of these",
            )
        return self._tasks[split]

    @cached_property
    def _tasks(self) -> dict[str, list[UserTask]]:
        data = self.data
        found: dict[str, list[UserTask]] = {split: [] for split in (*SPLITS, "warm")}
        draw = rng(SEED, "ratings of a task")
        for user, rows in enumerate(data.rows):
            split = SPLITS[data.split[user]]
            if split == "train":
                warm = rows[self.held[rows] | ~data.query[rows]]
                self._add(found["warm"], user, warm, self.held[warm])
                rows = rows[self.known[rows]]
                if len(rows) > self.options.max_ratings:
                    rows = np.sort(draw.permutation(rows)[: self.options.max_ratings])
            self._add(found[split], user, rows, data.query[rows])
        return found

    def _add(
        self, users: list[UserTask], user: int, rows: npt.NDArray[np.int64],
        query: npt.NDArray[np.bool_],
    ) -> None:  # fmt: skip
        if query.any():
            users.append(UserTask(user, self.data.item[rows], self.data.scaled[rows], query))

    def selection_tasks(self) -> list[UserTask]:
        """Return the validation users as they are, and ``redraws`` times with another support.

        With more queries to the same users, selection depends less on which ratings happened to be
        the support. Users without a support rating stay as they are.
        """
        users = list(self.user_tasks("valid"))
        for number in range(self.options.redraws):
            draw = rng(SEED, "redraw", number)
            for user in self.user_tasks("valid"):
                query = draw.permutation(user.query)
                users.append(UserTask(user.user, user.items, user.ratings, query))
        return users

    def without_support(self, split: str) -> int:
        """How many users of a split have no support rating."""
        return sum(bool(user.query.all()) for user in self.user_tasks(split))

    # ---- measuring ---------------------------------------------------------------------------

    def measure(
        self, users: list[UserTask], predictions: list[npt.NDArray[Any]]
    ) -> dict[str, FloatArray]:
        """Measure predictions in [0, 1] of each user's queries; errors in units of the ratings.

        Returns
        -------
        dict
            Measure → its value per user, (n_users,); nDCG is NaN for a user without gain.

        Raises
        ------
        TrainingDiverged
            A prediction is NaN or infinite.
        """
        (low, high), binary = self.data.scale, self.data.binary
        rows = []
        for user, predicted in zip(users, predictions, strict=True):
            require_scores(np.asarray(predicted), "predicted rating")
            rows.append(
                measure_user(
                    user.ratings[user.query].astype(np.float64),
                    np.clip(np.asarray(predicted, np.float64), 0, 1),
                    width=high - low, binary=binary,
                )
            )  # fmt: skip
        columns = np.array(rows, np.float64).reshape(-1, len(RATING_MEASURES)).T
        return dict(zip(RATING_MEASURES, columns, strict=True))

    def skill(self, measured: dict[str, FloatArray], users: list[UserTask]) -> float:
        """1 − MSE / MSE of the training mean, which a search maximises.

        ``docs/methods/coldnas.md``, eq. 7.
        """
        plain = self.measure(users, [np.full(int(p.query.sum()), self.mean) for p in users])
        found = 1 - measured["mse"].mean() / max(plain["mse"].mean(), 1e-12)
        return checked({"skill": float(found)})["skill"]

    @staticmethod
    def summary(measured: dict[str, FloatArray]) -> dict[str, Any]:
        """Means over users, with bootstrap intervals over users.

        Users without gain are left out of nDCG; where there are no others, it is left out.
        """
        kept = {name: values[~np.isnan(values)] for name, values in measured.items()}
        kept = {name: values for name, values in kept.items() if len(values)}
        return {
            "metrics": checked({name: float(values.mean()) for name, values in kept.items()}),
            "interval": {name: bootstrap_interval(values) for name, values in kept.items()},
        }

    @staticmethod
    def without_gain(measured: dict[str, FloatArray]) -> int:
        """How many users said yes to none of the items: nothing can be ranked for them."""
        return int(np.isnan(measured["ndcg@5"]).sum())

    @staticmethod
    def gains(better: dict[str, FloatArray], other: dict[str, FloatArray]) -> dict[str, Any]:
        """Paired differences between two models, with bootstrap intervals over users.

        Positive where ``better`` is better: for errors the other's minus its own, for nDCG its own
        minus the other's, over users with gain.
        """
        found = {}
        for name, values in other.items():
            gap = better[name] - values if name.startswith("ndcg") else values - better[name]
            gap = gap[~np.isnan(gap)]
            if len(gap):
                found[name] = {"mean": float(gap.mean()), "interval": bootstrap_interval(gap)}
        return found

    # ---- persistence -------------------------------------------------------------------------

    def count(self, split: str) -> int:
        """New users of a split with a rating to predict."""
        return len(self.user_tasks(split))

    def config(self) -> dict[str, Any]:
        """What config.toml holds of the protocol."""
        return {"options": self.options.model_dump(exclude_none=True, mode="json")}

    def save(self, folder: Path) -> None:
        """Write the data into a folder of the run."""
        self.data.save(folder)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Read what :meth:`save` wrote, with the options of config.toml."""
        options = renamed(config["options"], ColdStartOptions.model_fields)
        return cls(RatingData.load(folder), ColdStartOptions.of(options, "the task", "option"))

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
        """Make the task of a registered name, a folder, a file, or loaded data.

        Raises
        ------
        InvalidParameter
            An option outside its limits, or data that are no ratings.
        DataError
            The data are wrong; ``where`` names file and line.
        """
        options = ColdStartOptions.taken_from(settings)
        if isinstance(data, str | os.PathLike):
            data = load_ratings(
                data, columns=columns, support=options.support, others=options.others,
                scale=options.scale, mirror=mirror, seed=seed,
            )  # fmt: skip
        if not isinstance(data, RatingData):
            raise InvalidParameter(
                f"{data!r} are no ratings", remedy="load them with parsimony.load, or give a file"
            )
        if options.scale is not None and options.scale != data.scale:
            data = replace(data, scale=options.scale)
        return cls(data, options)
