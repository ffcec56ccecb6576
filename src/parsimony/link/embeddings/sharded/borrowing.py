"""The rows that a process borrows from their owners for a round, and gives back changed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.training.crew import Crew

__all__ = ["Borrowed"]

Array = npt.NDArray[Any]

#: bytes that a process sends at a time
AT_ONCE = 1 << 26


class Borrowed:
    """Rows of a table that is cut over processes, as one of them holds them for a round.

    Parameters
    ----------
    crew
        The processes; all of them make theirs together.
    holder
        Who holds each row in this round, (n,).
    bounds
        Where the rows of each owner begin, and n.

    Attributes
    ----------
    rows
        Ids of the rows that this process holds, ascending.
    """

    def __init__(self, crew: Crew, holder: Array, bounds: list[int]) -> None:
        self.crew = crew
        self.rows = np.flatnonzero(holder == crew.rank)
        own = holder[bounds[crew.rank] : bounds[crew.rank + 1]]
        self.lent = [np.flatnonzero(own == rank) for rank in range(crew.size)]
        self.cuts = np.searchsorted(self.rows, bounds)

    def fetch(self, own: Array) -> Array:
        """Lend rows of the own table, and return those that are borrowed, (n_rows, width)."""
        found = np.empty((len(self.rows), own.shape[1]), own.dtype)
        size = np.array([-(-own.nbytes // AT_ONCE)])
        self.crew.agree(size, most=True)
        for c in range(int(size[0])):
            sent = [own[_cut(rows, c, int(size[0]))] for rows in self.lent]
            of = [_cut(found[a:b], c, int(size[0])) for a, b in pairwise(self.cuts)]
            for place, came in zip(of, self.crew.swap(sent, [len(x) for x in of]), strict=True):
                place[...] = came
        return found

    def give_back(self, changed: npt.NDArray[np.bool_], pairs: list[tuple[Array, Array]]) -> None:
        """Return the rows that have changed.

        Parameters
        ----------
        changed
            Of every borrowed row, whether it has.
        pairs
            The own table, and the borrowed rows, of everything that was borrowed.
        """
        rows = [np.flatnonzero(changed[a:b]).astype(np.int32) for a, b in pairwise(self.cuts)]
        counts = [np.array([len(x)]) for x in rows]
        coming = [int(x[0]) for x in self.crew.swap(counts, [1] * self.crew.size)]
        places = self.crew.swap(rows, coming)
        most = np.array([max([0, *coming, *(len(x) for x in rows)])])
        self.crew.agree(most, most=True)
        for own, borrowed in pairs:
            size = -(-int(most[0]) * self.crew.size * own.shape[1] * own.itemsize // AT_ONCE)
            for c in range(size):
                sent = [
                    borrowed[begin + _cut(x, c, size)]
                    for begin, x in zip(self.cuts, rows, strict=False)
                ]
                to = [_cut(x, c, size) for x in places]
                came = self.crew.swap(sent, [len(x) for x in to])
                for lent, place, new in zip(self.lent, to, came, strict=True):
                    own[lent[place]] = new


def _cut(x: Array, c: int, size: int) -> Array:
    """The c-th of so many parts of an array."""
    return x[len(x) * c // size : len(x) * (c + 1) // size]
