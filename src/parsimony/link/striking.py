"""Facts struck out: a fitted model asked on its graph without some of the facts.

Nothing is learned anew. What a method answers is what the same weights, or the same rules with
the confidences that they had, give on the smaller graph; a method with an index of the whole graph
walks that one under a mask instead of building another, which gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import UsageError
from parsimony.graph import KnowledgeGraph
from parsimony.link.estimator import LinkEstimator
from parsimony.link.struck_graph import StruckGraph

__all__ = ["graph_rows", "without"]


def without(
    model: LinkEstimator[Any], facts: npt.ArrayLike | Iterable[tuple[int, int, int]]
) -> LinkEstimator[Any]:
    """Return a fitted model on the graph that it is asked on, without some facts.

    Parameters
    ----------
    model
        Fitted; stays as it is.
    facts
        Ids (n, 3) of head, relation and tail; those that the graph lacks are ignored, and of a
        fact that is stated twice both go.

    Returns
    -------
    LinkEstimator
        Scores, predicts and explains. Answers known from the data stay known: ranks are
        filtered by the same facts as before.

    Raises
    ------
    UsageError
        The method has its facts in its vectors: none can be taken out of them.
    """
    model._require_fitted()
    if model.by_vectors:
        raise UsageError(
            f"method {model.method!r} has its facts in its vectors: none can be struck out",
            remedy="ask a run of redgnn, adaprop or rules",
        )
    graph: KnowledgeGraph = model.task_.test_graph
    rows = np.asarray(facts if isinstance(facts, np.ndarray) else [*facts])  # type: ignore[misc]
    return model.on(StruckGraph.of(graph, rows.reshape(-1, 3)))


def graph_rows(
    triples: npt.NDArray[np.integer], facts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The facts among ``facts`` (n, 3) that a graph states, each once."""
    if not len(facts):
        return facts.reshape(-1, 3)
    n = int(max(triples.max(initial=0), facts.max())) + 1

    def keys(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        found: npt.NDArray[np.int64] = (rows[:, 1] * n + rows[:, 0]) * n + rows[:, 2]
        return found

    return facts[np.isin(keys(facts), keys(triples.astype(np.int64)))]
