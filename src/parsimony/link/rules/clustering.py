"""Which rules of a relation say the same thing: clusters by the pairs that they predict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from parsimony.link.rules.combining import Firings

__all__ = ["PAIRS", "clusters_of", "overlaps"]

PAIRS = 5_000  # that the rules of a relation predict, after which no further query is asked


def overlaps(
    fire: Callable[[int], Firings], entities: Iterable[int], n_rules: int, *, most: int = PAIRS
) -> tuple[npt.NDArray[np.float64], bool]:
    """Measure how far any two rules of a relation predict the same pairs.

    Parameters
    ----------
    fire
        What the rules lead to from an entity.
    entities
        The X of the pairs (X, Y), asked in this order until ``most`` pairs are found.
    n_rules

    Returns
    -------
    overlap : (n_rules, n_rules)
        The Jaccard index, pairs predicted by both / pairs predicted by either; 0 where neither
        predicts any.
    whole : bool
        Whether all entities were asked.
    """
    rules, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    seen, whole = 0, True
    for x in entities:
        if seen >= most:
            whole = False
            break
        rule, ptr, entity = fire(x)
        nodes, column = np.unique(entity, return_inverse=True)
        rules.append(np.repeat(rule, np.diff(ptr)).astype(np.int64))
        columns.append(column + seen)
        seen += len(nodes)
    predicts = np.zeros((n_rules, seen), np.float32)
    predicts[np.concatenate(rules), np.concatenate(columns)] = 1
    both = predicts @ predicts.T
    own = both.diagonal().astype(np.float64)
    either = own[:, None] + own[None, :] - both
    return np.divide(both, either, out=np.zeros(both.shape), where=either > 0), whole


def clusters_of(
    overlap: npt.NDArray[np.float64], thresholds: Sequence[float]
) -> npt.NDArray[np.int32]:
    """Cluster rules whose pairs overlap by at least a threshold on average.

    Returns
    -------
    labels : (n_rules, n_thresholds)
        From 0.
    """
    n = len(overlap)
    if n < 2:
        return np.zeros((n, len(thresholds)), np.int32)
    distance = 1 - overlap
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    labels = [fcluster(tree, 1 - t, "distance").astype(np.int32) - 1 for t in thresholds]
    return np.stack(labels, axis=1)
