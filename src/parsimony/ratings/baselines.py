"""Closed-form baselines of cold start: means, popularity, evidence, a ridge regression per user.

Equations are in ``docs/methods/rating_baselines.md``. The strength of shrinkage is chosen on
validation users from a short list where it is not given.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting, constructor
from parsimony.ratings.estimator import RatingEstimator
from parsimony.ratings.item_statistics import Evidence
from parsimony.ratings.task import UserTask
from parsimony.run.folder import RunFolder
from parsimony.run.restoring import require_tensors
from parsimony.training import trainer

__all__ = ["EvidenceRegression", "Means", "Popularity", "RidgeHead"]

Array = npt.NDArray[Any]


class ClosedFormParameters(base.Parameters):
    """Parameters of a closed form."""

    shrink: float | None = Field(
        None, gt=0, description="strength of shrinkage, > 0; left out: chosen on validation"
    )
    seed: int = Field(0, ge=0, description="of the split of an unsplit table, ≥ 0")


ParametersT = TypeVar("ParametersT", bound=ClosedFormParameters)


class _ClosedForm(RatingEstimator[ParametersT]):
    """Choose the shrinkage on validation, then solve."""

    grid: ClassVar[tuple[float, ...]] = (0.3, 1.0, 3.0, 10.0, 30.0)
    _shrink: float
    _evidence: Evidence

    def _fit(self, fitting: Fitting) -> None:
        begin, budget = trainer.clock(), fitting.time_budget
        self._begin()
        self._solve(
            self.resolved_.shrink
            or self._chosen(lambda: budget is not None and trainer.clock() - begin > budget)
        )
        self.parameters_count_ = sum(part.size for part in self._weights().values())

    def _chosen(self, late: Callable[[], bool]) -> float:
        """The shrinkage of the largest skill; the middle of the grid where none was measured."""
        skills: dict[float, float] = {}
        for shrink in self.grid if self.task_.has("valid") else ():
            if late():
                self.ended_ = "time budget"
                break
            self._solve(shrink)
            skills[shrink] = self.skill()
        return max(skills, key=lambda shrink: skills[shrink], default=self.grid[2])

    def _begin(self) -> None:
        """Make what does not depend on the shrinkage."""
        self._evidence = Evidence(self.task_)

    def _solve(self, shrink: float) -> None:
        """Learn with a strength of shrinkage."""
        self._shrink = shrink

    @abstractmethod
    def _weights(self) -> dict[str, Array]:
        """Named arrays of what was learned."""

    def _tensors(self) -> dict[str, Array]:
        return {"shrink": np.array([self._shrink])} | self._weights()

    def _restore(self, run: RunFolder, tensors: dict[str, Array]) -> None:
        super()._restore(run, tensors)
        require_tensors(tensors, {"shrink": (1,)})
        self._begin()
        self._shrink = float(tensors["shrink"][0])
        if self._shrink < 0:
            raise ValueError(f"a shrinkage of {self._shrink}")

    def _item_means(self, user: UserTask) -> Array:
        """Smoothed means m of a user's items over other users, (n,)."""
        log_odds = self._evidence.of(user).own[:, 0].astype(np.float64)
        return 1 / (1 + np.exp(-log_odds))


class Means(_ClosedForm[ClosedFormParameters]):
    """An item's mean over others, plus how far the user's ratings lie above such means.

    ``docs/methods/rating_baselines.md``, eq. 1.
    """

    method = "means"
    Parameters = ClosedFormParameters
    __init__ = constructor(ClosedFormParameters)
    fallback = "the items' means"

    def _predict(self, users: Sequence[UserTask]) -> list[Array]:
        found = []
        for user in users:
            mean = self._item_means(user)
            rest = (user.ratings - mean)[~user.query]
            found.append(mean[user.query] + rest.sum() / (len(rest) + self._shrink))
        return found

    def _weights(self) -> dict[str, Array]:
        return {"mean": np.array([self.task_.mean])}


class _Linear(_ClosedForm[ClosedFormParameters]):
    """One ridge regression for all users, on features of the items."""

    _gram: tuple[Array, Array, float] | None
    _weight: Array
    _bias: Array

    @abstractmethod
    def _features(self, users: Sequence[UserTask]) -> list[Array]:
        """Features of each user's items, (n, f)."""

    def _begin(self) -> None:
        super()._begin()
        self._gram = None

    def _solve(self, shrink: float) -> None:
        super()._solve(shrink)
        if self._gram is None:
            users = self.task_.user_tasks("train")
            x = np.concatenate(
                [c[p.query] for c, p in zip(self._features(users), users, strict=True)]
            )
            y = np.concatenate([p.ratings[p.query] for p in users]).astype(np.float64)
            self._center, self._spread = x.mean(0), x.std(0) + 1e-6
            z = (x - self._center) / self._spread
            self._gram = z.T @ z, z.T @ (y - y.mean()), float(y.mean())
        gram, moment, mean = self._gram
        weight = np.linalg.solve(gram + shrink * np.eye(len(gram)), moment)
        self._weight = weight / self._spread
        self._bias = np.array([mean - self._center @ self._weight])

    def _predict(self, users: Sequence[UserTask]) -> list[Array]:
        return [
            features[user.query] @ self._weight + self._bias[0]
            for features, user in zip(self._features(users), users, strict=True)
        ]

    def _weights(self) -> dict[str, Array]:
        return {"weight": self._weight, "bias": self._bias}

    def _restore(self, run: RunFolder, tensors: dict[str, Array]) -> None:
        super()._restore(run, tensors)
        width = self._features(self.task_.user_tasks("train")[:1])[0].shape[1]
        require_tensors(tensors, {"weight": (width,), "bias": (1,)})
        self._weight, self._bias = tensors["weight"].copy(), tensors["bias"].copy()


class Popularity(_Linear):
    """How much others like an item, the same for all users.

    ``docs/methods/rating_baselines.md``, eq. 2.
    """

    method = "popularity"
    Parameters = ClosedFormParameters
    __init__ = constructor(ClosedFormParameters)
    fallback = "popularity, as for everybody"

    def _features(self, users: Sequence[UserTask]) -> list[Array]:
        return [self._evidence.of(user).own[:, 2:].astype(np.float64) for user in users]


class EvidenceRegression(_Linear):
    """The inputs of ``coldnas`` without a network: a ridge regression on the evidence.

    ``docs/methods/rating_baselines.md``, eq. 3.
    """

    method = "evidence"
    Parameters = ClosedFormParameters
    __init__ = constructor(ClosedFormParameters)
    fallback = "by the items' own features"

    def _features(self, users: Sequence[UserTask]) -> list[Array]:
        from parsimony.ratings.modulated_network import block_of

        found = []
        for user in users:
            block = block_of([user], [self._evidence.of(user)])
            found.append(block.evidence()[0].numpy().astype(np.float64))
        return found


class RidgeHeadParameters(ClosedFormParameters):
    """And the number of dimensions."""

    dim: int = Field(
        32, ge=1, description="singular vectors that describe an item, ≥ 1",
        json_schema_extra=base.tuned(2, 128, log=True),
    )  # fmt: skip


class RidgeHead(_ClosedForm[RidgeHeadParameters]):
    """A ridge regression per user, on singular vectors of the ratings of others.

    The user's ratings minus the items' means are fitted in closed form; a new user's own ratings
    are no part of the vectors. ``docs/methods/rating_baselines.md``, eq. 4.
    """

    method = "ridge-head"
    Parameters = RidgeHeadParameters
    __init__ = constructor(RidgeHeadParameters)
    fallback = "the items' means"
    _vectors: Array

    def _begin(self) -> None:
        super()._begin()
        import scipy.sparse.linalg as sparse

        signed = self._evidence.signed()
        k = min(self.resolved_.dim, min(signed.shape) - 1)
        start = np.full(min(signed.shape), 1.0)
        _, values, right = sparse.svds(signed, k=k, v0=start)
        self._vectors = (right * np.sqrt(values)[:, None]).T

    def _predict(self, users: Sequence[UserTask]) -> list[Array]:
        found = []
        for user in users:
            mean, vectors = self._item_means(user), self._vectors[user.items]
            support, query = vectors[~user.query], vectors[user.query]
            kernel = support @ support.T + self._shrink * np.eye(len(support))
            rest = (user.ratings - mean)[~user.query]
            found.append(mean[user.query] + query @ support.T @ np.linalg.solve(kernel, rest))
        return found

    def _weights(self) -> dict[str, Array]:
        return {"vectors": self._vectors}

    def _restore(self, run: RunFolder, tensors: dict[str, Array]) -> None:
        super()._restore(run, tensors)
        require_tensors(tensors, {"vectors": (len(self.task_.data.items), None)})
        self._vectors = tensors["vectors"].copy()
