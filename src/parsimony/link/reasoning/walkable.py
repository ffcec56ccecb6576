"""The digraph that is walked: without the facts that are set aside."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt

from parsimony.graph import Adjacency
from parsimony.kernels.redgnn.frontier import restrict

__all__ = ["Walkable"]

Restricted = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]


class Walkable:
    """A digraph without inactive facts; that of the last bitmap is kept, for all who walk it.

    Parameters
    ----------
    digraph
        Both directions of every fact: ``KnowledgeGraph.digraph``.
    """

    def __init__(self, digraph: Adjacency) -> None:
        self.digraph = digraph
        self._last: tuple[npt.NDArray[np.uint8], Restricted] | None = None
        self._lock = Lock()

    def __call__(self, active: npt.NDArray[np.uint8]) -> Restricted:
        """Return indptr, neighbour and relation of the facts that ``active`` marks.

        The same array again has what was made for it before.
        """
        with self._lock:
            if self._last is None or self._last[0] is not active:
                self._last = (active, restrict(*self.digraph, active))
            return self._last[1]
