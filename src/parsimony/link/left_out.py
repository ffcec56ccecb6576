"""What the partition sums of training leave out: other known answers, and impossible ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.link.task import AnswerFilter, IntArray, Possible

__all__ = ["LeftOut"]


class LeftOut:
    """Entities left out of the sum of each query, but for that of their own answer.

    Parameters
    ----------
    known
        Known answers, where these are left out.
    possible
        Which entities can answer.
    """

    def __init__(self, known: AnswerFilter | None, possible: Possible) -> None:
        self._known, self._possible = known, possible

    def __call__(
        self, head: IntArray, relation: IntArray
    ) -> tuple[npt.NDArray[np.int64], IntArray]:
        """Entities by query: (ptr, entity), each once."""
        out = ~self._possible(head, relation)
        if self._known is not None:
            ptr, answer = self._known(head, relation)
            out[np.repeat(np.arange(len(head)), np.diff(ptr)), answer] = True
        query, entity = np.nonzero(out)
        count = np.bincount(query, minlength=len(head))
        return np.concatenate([[0], np.cumsum(count)]).astype(np.int64), entity.astype(np.int32)
