"""Base class of the methods for cold-start recommendation: measure, and adapt to a new user."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from parsimony.answers import Answers, Measures
from parsimony.base import Estimator, Parameters
from parsimony.base import Task as AnyTask
from parsimony.errors import EmptySplit, InvalidParameter, UnknownEntity
from parsimony.graph.names import NameIndex
from parsimony.metrics.bootstrap import resampled_means
from parsimony.metrics.guard import require_scores
from parsimony.ratings.scale import number_text, wider
from parsimony.ratings.task import ColdStartTask, UserTask
from parsimony.run.folder import RunFolder
from parsimony.run.forms import Count

__all__ = ["RatingEstimator"]

Array = npt.NDArray[Any]
ParametersT = TypeVar("ParametersT", bound=Parameters)
_LEARNED = "coldstart.json"


class RatingEstimator(Estimator[ColdStartTask, ParametersT]):
    """A method that predicts a user's queries from their support.

    ``score`` is nDCG@5, the mean over users: the one of the four measures that is a fraction of
    which more is better.
    """

    Task: ClassVar[type[AnyTask]] = ColdStartTask
    headline = "ndcg@5"
    #: what answers users without a support rating
    fallback: ClassVar[str] = ""

    @abstractmethod
    def _predict(self, users: Sequence[UserTask]) -> list[Array]:
        """Predict each user's queries, (n_queries,) in [0, 1], from their support."""

    # ---- measuring ---------------------------------------------------------------------------

    def by_user(self, split: str) -> dict[str, Array]:
        """Measure each user of a split, for paired tests: measure → (n_users,)."""
        self._require_fitted()
        users = self.task_.user_tasks(split)
        return self.task_.measure(users, self._predict(users))

    def skill(self) -> float:
        """What a search maximises: 1 − MSE / MSE of the mean, on the supports of validation users.

        ``docs/methods/coldnas.md``, eq. 7.
        """
        self._require_fitted()
        users = self.task_.selection_tasks()
        return self.task_.skill(self.task_.measure(users, self._predict(users)), users)

    def resampled(
        self, split: str = "valid", *, units: int | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """Return the nDCG@5 of a split, then of resamples of its users with gain."""
        self._require_fitted()
        if not self.task_.has(split):
            raise EmptySplit(f"no {split} user has a rating to predict")
        gain = self.by_user(split)[self.headline]
        gain = gain[~np.isnan(gain)]
        if not len(gain):
            raise EmptySplit(f"no {split} user said yes to an item: nothing can be ranked")
        return resampled_means(gain, seed)

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> Measures:
        """Measure on new users, and on held-out ratings of the training users.

        Parameters
        ----------
        split
            "valid" or "test", whose users are new; or "warm".

        Returns
        -------
        dict
            ``split``; ``metrics`` (mse, mae, ndcg@3, ndcg@5: means over the new users, errors in
            units of the ratings) and ``interval`` (95 %, bootstrap over users); ``users``;
            ``warm``: the same three for training users, where ratings are held out;
            ``without_support``: users without a support rating, who are answered by ``fallback``;
            ``without_gain``: users who said yes to none of the items asked, left out of nDCG;
            ``seconds``.

        Raises
        ------
        InvalidParameter
            Another split.
        EmptySplit
            No user of the split has a rating to predict.
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
        return Measures(
            {
                "split": split,
                **result,
                "without_support": without,
                "fallback": self.fallback if without else "",
                "seconds": time.perf_counter() - begin,
            }
        )

    def _measured(self, split: str) -> dict[str, Any]:
        measured, task = self.by_user(split), self.task_
        return {
            **task.summary(measured),
            "users": len(measured["mse"]),
            "without_gain": task.without_gain(measured),
        }

    def score(self, split: str = "test") -> float:
        """Return nDCG@5 of a split.

        Raises
        ------
        EmptySplit
            No user of the split has a rating to predict, or one with gain.
        """
        metrics = self.evaluate(split)["metrics"]
        if self.headline not in metrics:
            raise EmptySplit(
                f"no {split} user said yes to an item: nothing can be ranked",
                remedy="give more users or ratings",
            )
        return float(metrics[self.headline])

    @property
    def selected_by(self) -> str:
        """The skill."""
        return "skill"

    def selection_score(self) -> float:
        """The skill, which every choice between models of ratings goes by."""
        return self.skill()

    # ---- a new user --------------------------------------------------------------------------

    def adapt(self, support: Mapping[str, float], queries: Sequence[str]) -> Answers:
        """Predict a new user's ratings from a few.

        Parameters
        ----------
        support
            Item → rating, in units of the training data; where it is empty, the fallback answers.
        queries
            Items to predict.

        Returns
        -------
        Answers
            ``{"predictions": [{"item", "rating", "known"}], "seconds", "notes"}``, best first;
            ``known`` is the user's own rating of an item that is in the support, else None.

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
        index, notes = NameIndex(data.items, UnknownEntity), list[str]()
        number = {name: index.find(name, notes=notes) for name in (*support, *queries)}
        if len({number[name] for name in support}) < len(support):
            raise InvalidParameter(
                "an item is rated twice, in two spellings of its name", remedy="keep one of them"
            )
        low, high = data.scale
        for name, rating in support.items():
            if not low <= rating <= high:
                raise InvalidParameter(
                    f"the rating {rating!r} of {name!r} is outside {number_text(low)} … "
                    f"{number_text(high)}",
                    remedy=f"mend it, or train again with {wider(data.scale, rating)}",
                )
        if not queries:
            raise InvalidParameter("no item to predict", remedy="give at least one")
        notes += [] if support else [f"no rating given: {self.fallback}"]
        scaled = [(rating - low) / (high - low) for rating in support.values()]
        user = UserTask(
            -1,
            np.array([number[name] for name in (*support, *queries)], np.int32),
            np.array([*scaled, *[0.0] * len(queries)], np.float32),
            np.arange(len(support) + len(queries)) >= len(support),
        )
        predicted = self._predict([user])[0]
        require_scores(predicted, "predicted rating")
        found = low + (high - low) * np.clip(predicted, 0, 1)
        own = {number[name]: rating for name, rating in support.items()}
        rows: list[dict[str, Any]] = [
            {"item": name, "rating": float(value), "known": own.get(number[name])}
            for name, value in zip(queries, found, strict=True)
        ]
        rows.sort(key=lambda row: -row["rating"])
        return Answers(predictions=rows, seconds=time.perf_counter() - begin, notes=notes)

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model and data into an open run folder."""
        super().write(run)
        run.write_json(_LEARNED, {"trained_parameters": self.parameters_count_})

    def _restore(self, run: RunFolder, tensors: dict[str, Array]) -> None:
        learned = run.read_json(_LEARNED, dict[Literal["trained_parameters"], Count])
        self.parameters_count_ = learned["trained_parameters"]
