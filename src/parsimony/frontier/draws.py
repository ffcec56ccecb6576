"""Nested bootstrap of the errors of runs: over test queries, and over seeds within a size.

Queries are drawn once for all runs, so that what a draw of easy queries does to one family it does
to the other. Seeds are drawn within a size, from the deviations of it and its neighbours. As the
deviation of a seed holds the noise of its queries as well, which the draw of queries has already
given, deviations are shrunk by the part that comes from there (crossed random effects: A. Owen,
Ann. Appl. Stat. 1, 2007, says how much the plain nested bootstrap overstates it). As few deviations
say little of their spread, it is widened to that of Student's t with their degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["DRAWS", "Draws"]

Floats = npt.NDArray[np.float64]

DRAWS = 1000
_LEAST = 1e-6  # of errors that are no mean over queries
_BLOCK = 1 << 22  # counts drawn at a time
_NEIGHBOURS = 2  # sizes on either side whose seeds are drawn from


class Draws:
    """Errors of runs under resampling.

    Parameters
    ----------
    errors
        (runs,), as measured.
    values
        For each run its error on every query, (queries,), in one order; None where it has none.
        Runs whose lengths differ from the first one's are not resampled by queries.
    draws, seed
        How many, and of the random numbers.
    """

    def __init__(
        self, errors: Floats, values: Sequence[Floats | None], *, draws: int = DRAWS, seed: int = 0
    ) -> None:
        self.errors = np.asarray(errors, np.float64)
        self.draws, self._random = draws, np.random.default_rng(seed)
        first = next((len(v) for v in values if v is not None), 0)
        self._rows = [i for i, v in enumerate(values) if v is not None and len(v) == first > 1]
        #: what no error can be told from 0 by: half of what one query weighs
        self.least = 0.5 / first if first else _LEAST
        self._place = {row: k for k, row in enumerate(self._rows)}
        self._values = np.array([values[i] for i in self._rows], np.float64)
        self.by_query = np.tile(self.errors, (draws, 1))
        if self._rows:
            self.by_query[:, self._rows] = self._resampled(first)

    def _resampled(self, n: int) -> Floats:
        found = np.empty((self.draws, len(self._rows)))
        step = max(1, _BLOCK // n)
        for start in range(0, self.draws, step):
            size = min(step, self.draws - start)
            counts = self._random.multinomial(n, np.full(n, 1 / n), size=size)
            found[start : start + size] = counts @ self._values.T / n
        return found

    def means(self, groups: Sequence[Sequence[int]]) -> Floats:
        """Return the mean error of each group in every draw, (draws, groups).

        Parameters
        ----------
        groups
            Runs that differ by their seed alone, in order of size.
        """
        off = [self._deviations(group) for group in groups]
        found = np.empty((self.draws, len(groups)))
        for i, group in enumerate(groups):
            found[:, i] = self.by_query[:, list(group)].mean(1)
            near = slice(max(i - _NEIGHBOURS, 0), i + _NEIGHBOURS + 1)
            pool = np.concatenate([deviations for deviations, _ in off[near]])
            if len(pool):
                of_queries = np.mean([v for deviations, v in off[near] if len(deviations)])
                pool = pool * np.sqrt(max(0.0, 1 - of_queries / max(np.mean(pool**2), 1e-18)))
                free = sum(max(len(each) - 1, 0) for each in groups[near])
                pool = pool * np.sqrt(free / (free - 2) if free > 2 else 3.0)
                picked = self._random.integers(0, len(pool), (self.draws, len(group)))
                found[:, i] += pool[picked].mean(1)
        return found

    def noise(self, groups: Sequence[Sequence[int]]) -> float:
        """Return the standard deviation of a group's mean over its seeds; 0 where none repeats."""
        off = [(self._deviations(group)[0], len(group)) for group in groups]
        known = [np.mean(d**2) / n for d, n in off if len(d)]
        return float(np.sqrt(np.mean(known))) if known else 0.0

    def _deviations(self, group: Sequence[int]) -> tuple[Floats, float]:
        """Deviations of the seeds from their mean, unbiased, and the variance that queries give."""
        n = len(group)
        if n < 2:
            return np.empty(0), 0.0
        own = self.errors[list(group)]
        inflation = n / (n - 1)
        deviations = (own - own.mean()) * np.sqrt(inflation)
        if not all(row in self._place for row in group):
            return deviations, 0.0
        values = self._values[[self._place[row] for row in group]]
        apart = values - values.mean(0)
        return deviations, float(apart.var(1).mean() * inflation / values.shape[1])
