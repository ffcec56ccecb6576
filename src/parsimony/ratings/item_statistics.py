"""What other people's ratings say of an item, given a few ratings of one's own.

An item is known by how often and how well it was rated, and by who rated it together with what the
user rated. A training user's own ratings are left out of both, so that training sees what a new
user would. Pairs are computed once a user; every redrawn support then costs one small product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from parsimony.ratings.task import ColdStartTask, Person

__all__ = ["N_EVIDENCE", "Evidence", "Statistics"]

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.floating[Any]]
#: numbers of an item: 3 of its own, 5 of its pairs with the support
N_EVIDENCE = 8
_PRIOR = 1.5  # ratings of either kind that an item is thought to have had before


@dataclass(frozen=True)
class Statistics:
    """Of one user's n items.

    Attributes
    ----------
    own : float32 array, shape (n, 3)
        Log-odds of the mean rating, log of the number of ratings, log of the liking received.
    liked, both : float32 arrays, shape (n, n)
        Liking and signed agreement of pairs over other users, normalised by how often either was
        rated; 0 on the diagonal.
    count : float32 array, shape (n, n)
        ``liked`` as it is.
    """

    own: FloatArray
    liked: FloatArray
    both: FloatArray
    count: FloatArray


class Evidence:
    """The known ratings as a matrix of users and items."""

    def __init__(self, task: ColdStartTask) -> None:
        data, known = task.data, task.known
        shape = (len(data.users), len(data.items))
        where = (data.user[known], data.item[known])
        like = data.scaled[known]
        self._mean = task.mean
        self._like = sp.csc_matrix((like, where), shape=shape)
        self._rated = sp.csc_matrix((np.ones_like(like), where), shape=shape)
        self._total = np.asarray(self._rated.sum(0)).ravel()
        self._sum = np.asarray(self._like.sum(0)).ravel()

    def means(self, items: npt.NDArray[np.int32], less: FloatArray | None = None
              ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return smoothed means, numbers of ratings and sums of items, less one user's own."""
        total, total_like = self._total[items], self._sum[items]
        if less is not None:
            total, total_like = total - less[0], total_like - less[1]
        mean = (total_like + 2 * _PRIOR * self._mean) / (total + 2 * _PRIOR)
        return mean, total, total_like

    def of(self, person: Person) -> Statistics:
        """Return what others say of a person's items."""
        like = self._like[:, person.items].toarray()
        rated = self._rated[:, person.items].toarray()
        own = np.zeros((2, len(person.items)), np.float32)
        if person.user >= 0:
            own[:] = rated[person.user], like[person.user]
            like[person.user] = rated[person.user] = 0
        used = rated.any(1)
        like, rated = like[used], rated[used]
        mean, total, liked = self.means(person.items, own)
        signed = 2 * like - rated
        count = like.T @ like
        both = signed.T @ signed / np.sqrt(np.outer(total + 1, total + 1))
        near = count / np.sqrt(np.outer(liked + 1, liked + 1))
        for pairs in (count, both, near):
            np.fill_diagonal(pairs, 0)
        mean = np.clip(mean, 1e-3, 1 - 1e-3)
        stats = np.stack([np.log(mean / (1 - mean)), np.log1p(total), np.log1p(liked)], 1)
        return Statistics(*(part.astype(np.float32) for part in (stats, near, both, count)))

    def of_all(self, people: Sequence[Person]) -> list[Statistics]:
        """Return the statistics of several people; redrawn supports of one share them."""
        known: dict[tuple[int, bytes], Statistics] = {}
        for person in people:
            key = person.user, person.items.tobytes()
            if key not in known:
                known[key] = self.of(person)
        return [known[person.user, person.items.tobytes()] for person in people]
