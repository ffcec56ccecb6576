"""What other users' ratings say of an item, given a few ratings of one's own.

The evidence on an item is how often and how well it was rated, and how often together with what the
user rated. A training user's own ratings are left out of both, so that training sees what it would
see of a new user. Pairs are counted once per user; a redrawn support then costs one small product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from parsimony.ratings.task import ColdStartTask, UserTask

__all__ = ["N_EVIDENCE", "Evidence", "Statistics"]

FloatArray = npt.NDArray[np.float32]
Array = npt.NDArray[np.floating[Any]]
#: features of an item: 3 of its own, 5 of its pairs with the support
N_EVIDENCE = 8
_PRIOR = 1.5  # pseudo-ratings of either kind, for smoothing


@dataclass(frozen=True)
class Statistics:
    """Of one user's n items.

    Attributes
    ----------
    own : float32 array, shape (n, 3)
        Log-odds of the mean rating, log of the number of ratings, log of their sum.
    liked, both : float32 arrays, shape (n, n)
        Common liking and signed agreement of pairs of items over other users, normalised by how
        often either was rated; 0 on the diagonal.
    count : float32 array, shape (n, n)
        ``liked`` before it is normalised.
    """

    own: FloatArray
    liked: FloatArray
    both: FloatArray
    count: FloatArray


class Evidence:
    """The known ratings as a sparse matrix, (n_users, n_items)."""

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

    def signed(self) -> sp.csc_matrix:
        """Return the known ratings in [−1, 1], (n_users, n_items)."""
        return (2 * self._like - self._rated).astype(np.float64)

    def means(self, items: npt.NDArray[np.int32], less: FloatArray | None = None
              ) -> tuple[Array, Array, Array]:  # fmt: skip
        """Return smoothed means, numbers and sums of items' ratings, without one user's own."""
        total, total_like = self._total[items], self._sum[items]
        if less is not None:
            total, total_like = total - less[0], total_like - less[1]
        mean = (total_like + 2 * _PRIOR * self._mean) / (total + 2 * _PRIOR)
        return mean, total, total_like

    def of(self, user: UserTask) -> Statistics:
        """Return what others say of a user's items."""
        like = self._like[:, user.items].toarray()
        rated = self._rated[:, user.items].toarray()
        own = np.zeros((2, len(user.items)), np.float32)
        if user.user >= 0:
            own[:] = rated[user.user], like[user.user]
            like[user.user] = rated[user.user] = 0
        used = rated.any(1)
        like, rated = like[used], rated[used]
        mean, total, liked = self.means(user.items, own)
        signed = 2 * like - rated
        count = like.T @ like
        both = signed.T @ signed / np.sqrt(np.outer(total + 1, total + 1))
        near = count / np.sqrt(np.outer(liked + 1, liked + 1))
        for pairs in (count, both, near):
            np.fill_diagonal(pairs, 0)
        mean = np.clip(mean, 1e-3, 1 - 1e-3)
        stats = np.stack([np.log(mean / (1 - mean)), np.log1p(total), np.log1p(liked)], 1)
        return Statistics(*(part.astype(np.float32) for part in (stats, near, both, count)))

    def of_all(self, users: Sequence[UserTask]) -> list[Statistics]:
        """Return the statistics of several users; redrawn supports of one user share them."""
        known: dict[tuple[int, bytes], Statistics] = {}
        for user in users:
            key = user.user, user.items.tobytes()
            if key not in known:
                known[key] = self.of(user)
        return [known[user.user, user.items.tobytes()] for user in users]
