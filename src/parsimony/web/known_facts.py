"""Which split states a fact, for many facts at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.link.data import SPLITS, LinkData

__all__ = ["KnownFacts"]


class KnownFacts:
    """The facts of a dataset, sorted.

    Where several splits state a fact, the first of train, valid and test counts.
    """

    def __init__(self, data: LinkData) -> None:
        self._n, self._r = data.n_entities, data.n_relations
        self._keys = [np.sort(self._key(data.triples(split))) for split in SPLITS]

    def _key(self, facts: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        rows = np.asarray(facts, np.int64).reshape(-1, 3)
        found: npt.NDArray[np.int64] = (rows[:, 0] * self._r + rows[:, 1]) * self._n + rows[:, 2]
        return found

    def splits(self, facts: npt.NDArray[np.integer]) -> list[str]:
        """The split of each fact (n, 3), "no" where none states it."""
        wanted = self._key(facts)
        found = ["no"] * len(wanted)
        for split, keys in zip(reversed(SPLITS), reversed(self._keys), strict=True):
            at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
            for i in np.flatnonzero(keys[at] == wanted) if len(keys) else ():
                found[int(i)] = split
        return found
