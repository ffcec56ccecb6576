"""What every cold-start method can do: measure, adapt to a new user, save and load."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator
from parsimony.errors import EmptySplit, InvalidParameter, UnknownEntity
from parsimony.ratings.task import ColdStartTask, Person
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.restoring import restoring

__all__ = ["RatingEstimator"]

Array = npt.NDArray[Any]
_LEARNED = "coldstart.json"


class RatingEstimator(Estimator):
    """Measure and persist over ``_learn`` and ``_predict``."""

    kind = "coldstart"
    task_: ColdStartTask
    resolved_: Any
    #: wall seconds of training
    seconds_: float
    #: what it answers to users without any rating
    fallback: str = ""

    @abstractmethod
    def _learn(self, *, run: RunFolder | None, time_budget: float | None, quiet: bool) -> int:
        """Learn from the known ratings of ``task_``; return the number of trained parameters."""

    @abstractmethod
    def _predict(self, people: Sequence[Person]) -> list[Array]:
        """Predict the queries of people, in [0, 1], from their other ratings."""

    @abstractmethod
    def _tensors(self) -> dict[str, Array]:
        """Named arrays of the trained model."""

    @abstractmethod
    def _restore(self, tensors: dict[str, Array]) -> None:
        """Become fitted from what ``_tensors`` gave, with ``task_`` and ``resolved_`` set."""

    # ---- fitting -----------------------------------------------------------------------------

    def prepare(self, task: ColdStartTask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        given = self.parameters.model_dump(include=self.parameters.model_fields_set)
        if epochs is not None and "epochs" in type(self.parameters).model_fields:
            given["epochs"] = epochs
        self.task_, self.resolved_ = task, self._validate(given)
        return self.config()

    def fit(
        self,
        task: ColdStartTask,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | None = None,
        quiet: bool = True,
        **_: Any,
    ) -> Self:
        """Learn; with a run folder, checkpoints go there and are resumed from.

        Raises
        ------
        TrainingDiverged
            The loss is not finite.
        """
        begin = time.perf_counter()
        self.prepare(task, epochs=epochs)
        self.history_: list[dict[str, Any]] = []
        self.best_epoch_, self.ended_ = 0, ""
        self.cost_ = Cost(parameters=0, labels=task.n_labels)
        self.parameters_count_ = self._learn(run=run, time_budget=time_budget, quiet=quiet)
        self.cost_.parameters = self.parameters_count_
        self.seconds_ = time.perf_counter() - begin
        return self

    # ---- measuring ---------------------------------------------------------------------------

    def by_user(self, split: str) -> dict[str, Array]:
        """Measure every user of a split: name of the measure to (n_users,), for paired tests."""
        self._require_fitted()
        people = self.task_.people(split)
        return self.task_.measure(people, self._predict(people))

    def evaluate(self, split: str = "test", *, quiet: bool = True, **_: Any) -> dict[str, Any]:
        """Measure on users who were never seen, and on held-out ratings of those who were.

        Returns
        -------
        dict
            ``split``; ``metrics`` (mse, mae, ndcg@3, ndcg@5: means over users) and ``interval``
            (95 %, bootstrap over users) of the cold users; ``users``; ``warm``: the same three for
            training users, where ratings are held out; ``without_support``: users who gave no
            rating, who are answered by ``fallback``; ``seconds``.

        Raises
        ------
        EmptySplit
            Nobody there.
        """
        self._require_fitted()
        if split not in ("valid", "test", "warm"):
            raise InvalidParameter(
                f"split must be valid, test or warm. Got {split!r}", remedy="--split test"
            )
        if not self.task_.has(split):
            raise EmptySplit(
                f"no {split} user has a rating to predict", remedy="give more users or ratings"
            )
        begin = time.perf_counter()
        result = self._measured(split)
        if split != "warm" and self.task_.has("warm"):
            result["warm"] = self._measured("warm")
        without = self.task_.without_support(split)
        return {
            "split": split,
            **result,
            "without_support": without,
            "fallback": self.fallback if without else "",
            "seconds": time.perf_counter() - begin,
        }

    def _measured(self, split: str) -> dict[str, Any]:
        measured = self.by_user(split)
        return {**self.task_.summary(measured), "users": len(measured["mse"])}

    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Any]:
        """These methods have no rules to read out."""
        return []

    # ---- a new user --------------------------------------------------------------------------

    def adapt(self, support: Mapping[str, float], queries: Sequence[str]) -> dict[str, Any]:
        """Predict a new user's ratings from a few.

        Parameters
        ----------
        support
            Item to rating; may be empty, then the stated fallback answers.
        queries
            Items to predict.

        Returns
        -------
        dict
            ``{"predictions": [{"item", "rating", "known"}], "seconds", "notes"}``, best first;
            ``known`` is the user's own rating of an item that is in the support.

        Raises
        ------
        UnknownEntity
            An item that the data do not hold.
        InvalidParameter
            No query, or a rating outside the scale.
        """
        self._require_fitted()
        begin = time.perf_counter()
        data = self.task_.data
        number = {name: i for i, name in enumerate(data.items)}
        for name in (*support, *queries):
            if name not in number:
                raise UnknownEntity.of(name, number)
        low, high = data.scale
        for name, rating in support.items():
            if not low <= rating <= high:
                raise InvalidParameter(
                    f"the rating {rating!r} of {name!r} is outside {low:g} … {high:g}",
                    remedy="use the scale of the data that the run was trained on",
                )
        if not queries:
            raise InvalidParameter("no item to predict", remedy="give at least one")
        notes = []
        if not support:
            notes.append(f"no rating given: {self.fallback}")
        scaled = [(rating - low) / (high - low) for rating in support.values()]
        person = Person(
            -1,
            np.array([number[name] for name in (*support, *queries)], np.int32),
            np.array([*scaled, *[0.0] * len(queries)], np.float32),
            np.arange(len(support) + len(queries)) >= len(support),
        )
        found = low + (high - low) * np.clip(self._predict([person])[0], 0, 1)
        rows: list[dict[str, Any]] = [
            {"item": name, "rating": float(value), "known": support.get(name)}
            for name, value in zip(queries, found, strict=True)
        ]
        rows.sort(key=lambda row: -row["rating"])
        return {
            "predictions": rows, "seconds": time.perf_counter() - begin, "notes": notes,
        }  # fmt: skip

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model and data into an open run folder."""
        self.task_.save(run.path / "data")
        run.save_model(self._tensors())
        run.write_json(_LEARNED, {"trained_parameters": self.parameters_count_})

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a run folder.

        Raises
        ------
        MissingRun, CorruptRun, RunVersionError
            Not a run folder, a damaged one, or one of another version.
        """
        run = RunFolder.open(Path(path))
        self = cls(**run.config["parameters"])
        self.prepare(ColdStartTask.load(run.path / "data", run.config["options"]))
        tensors = run.load_model()
        with restoring(run):
            self.parameters_count_ = int(run.read_json(_LEARNED)["trained_parameters"])
            self._restore(tensors)
        return self
