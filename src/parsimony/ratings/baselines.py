"""Closed-form yardsticks of cold start: means, popularity, evidence, a ridge head for every user.

What they have to choose (a strength of shrinkage, a number of dimensions) is chosen on validation
users from a short list.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.ratings.estimator import RatingEstimator
from parsimony.ratings.item_statistics import Evidence
from parsimony.ratings.task import Person

__all__ = ["EvidenceRegression", "Means", "Popularity", "RidgeHead"]

Array = npt.NDArray[Any]


class ClosedParameters(base.Parameters):
    """Parameters of a closed form."""

    shrink: float | None = Field(
        None, gt=0, description="strength of shrinkage, > 0; left out: chosen on validation"
    )
    seed: int = Field(0, ge=0, description="of the split of an unsplit table, ≥ 0")


class _Closed(RatingEstimator):
    """Choose the shrinkage on validation, then predict."""

    Parameters = ClosedParameters
    grid: ClassVar[tuple[float, ...]] = (0.3, 1.0, 3.0, 10.0, 30.0)
    _shrink: float

    def _learn(self, **_: Any) -> int:
        self._begin()
        people = self.task_.choosing()
        if self.resolved_.shrink is not None or not people:
            self._fit(self.resolved_.shrink or self.grid[len(self.grid) // 2])
        else:
            skills = []
            for shrink in self.grid:
                self._fit(shrink)
                skills.append(
                    self.task_.skill(self.task_.measure(people, self._predict(people)), people)
                )
            self._fit(self.grid[int(np.argmax(skills))])
        return sum(part.size for part in self._weights().values())

    def _begin(self) -> None:
        """Make what does not depend on the shrinkage."""
        self._evidence = Evidence(self.task_)

    def _fit(self, shrink: float) -> None:
        self._shrink = shrink

    @abstractmethod
    def _weights(self) -> dict[str, Array]:
        """Named arrays of what was learned."""

    def _tensors(self) -> dict[str, Array]:
        return {"shrink": np.array([self._shrink])} | self._weights()

    def _restore(self, tensors: dict[str, Array]) -> None:
        self._begin()
        self._shrink = float(tensors["shrink"][0])
        self._set(tensors)

    def _set(self, tensors: dict[str, Array]) -> None:
        """Take what ``_weights`` gave."""

    def _item_means(self, person: Person) -> Array:
        log_odds = self._evidence.of(person).own[:, 0].astype(np.float64)
        return 1 / (1 + np.exp(-log_odds))


class Means(_Closed):
    """An item's mean over others, plus how far the user's ratings lie above such means."""

    method = "means"
    fallback = "the items' means"

    def _predict(self, people: Sequence[Person]) -> list[Array]:
        found = []
        for person in people:
            mean = self._item_means(person)
            rest = (person.ratings - mean)[~person.query]
            found.append(mean[person.query] + rest.sum() / (len(rest) + self._shrink))
        return found

    def _weights(self) -> dict[str, Array]:
        return {"mean": np.array([self.task_.mean])}


class _Linear(_Closed):
    """One ridge regression for all users, by columns of what is known of an item."""

    @abstractmethod
    def _columns(self, people: Sequence[Person]) -> list[Array]:
        """Features (n, f) of every person's items."""

    def _begin(self) -> None:
        super()._begin()
        self._gram: Any = None

    def _fit(self, shrink: float) -> None:
        super()._fit(shrink)
        if self._gram is None:
            people = self.task_.people("train")
            x = np.concatenate(
                [c[p.query] for c, p in zip(self._columns(people), people, strict=True)]
            )
            y = np.concatenate([p.ratings[p.query] for p in people]).astype(np.float64)
            self._center, self._spread = x.mean(0), x.std(0) + 1e-6
            z = (x - self._center) / self._spread
            self._gram = z.T @ z, z.T @ (y - y.mean()), float(y.mean())
        gram, moment, mean = self._gram
        weight = np.linalg.solve(gram + shrink * np.eye(len(gram)), moment)
        self._weight = weight / self._spread
        self._bias = np.array([mean - self._center @ self._weight])

    def _predict(self, people: Sequence[Person]) -> list[Array]:
        return [
            columns[person.query] @ self._weight + self._bias[0]
            for columns, person in zip(self._columns(people), people, strict=True)
        ]

    def _weights(self) -> dict[str, Array]:
        return {"weight": self._weight, "bias": self._bias}

    def _set(self, tensors: dict[str, Array]) -> None:
        self._weight, self._bias = tensors["weight"].copy(), tensors["bias"].copy()


class Popularity(_Linear):
    """How much others like an item, and nothing of the user."""

    method = "popularity"
    fallback = "popularity, as for everybody"

    def _columns(self, people: Sequence[Person]) -> list[Array]:
        return [self._evidence.of(person).own[:, 2:].astype(np.float64) for person in people]


class EvidenceRegression(_Linear):
    """The inputs of ``coldnas`` without a network: a ridge regression on the evidence."""

    method = "evidence"
    fallback = "by the items' own columns"

    def _columns(self, people: Sequence[Person]) -> list[Array]:
        from parsimony.ratings.modulated_network import block_of

        found = []
        for person in people:
            block = block_of([person], [self._evidence.of(person)])
            found.append(block.evidence()[0].numpy().astype(np.float64))
        return found


class RidgeParameters(ClosedParameters):
    """And the number of dimensions."""

    dim: int = Field(32, ge=1, description="singular vectors that describe an item, ≥ 1")


class RidgeHead(_Closed):
    """A ridge regression for every user, on singular vectors of the ratings of others.

    The user's ratings less the items' means are fitted exactly; a user's own ratings are no part
    of the vectors of new users.
    """

    method = "ridge-head"
    Parameters = RidgeParameters
    fallback = "the items' means"

    def _begin(self) -> None:
        super()._begin()
        signed = (2 * self._evidence._like - self._evidence._rated).astype(np.float64)
        import scipy.sparse.linalg as sparse

        k = min(self.resolved_.dim, min(signed.shape) - 1)
        start = np.full(min(signed.shape), 1.0)
        _, values, right = sparse.svds(signed, k=k, v0=start)
        self._vectors = (right * np.sqrt(values)[:, None]).T

    def _predict(self, people: Sequence[Person]) -> list[Array]:
        found = []
        for person in people:
            mean, vectors = self._item_means(person), self._vectors[person.items]
            given, asked = vectors[~person.query], vectors[person.query]
            kernel = given @ given.T + self._shrink * np.eye(len(given))
            rest = (person.ratings - mean)[~person.query]
            found.append(mean[person.query] + asked @ given.T @ np.linalg.solve(kernel, rest))
        return found

    def _weights(self) -> dict[str, Array]:
        return {"vectors": self._vectors}

    def _set(self, tensors: dict[str, Array]) -> None:
        self._vectors = tensors["vectors"].copy()
