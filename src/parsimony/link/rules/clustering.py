"""Which rules of a relation say the same thing: clusters by the pairs that they predict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from parsimony.link.rules.combining import Firings

__all__ = ["COMPARED", "PAIRS", "clusters_of", "overlaps", "predicted"]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]

PAIRS = 5_000  # that the rules of a relation predict, after which no further query is asked
COMPARED = 4_000  # rules of a relation of which any two are compared: 128 MB of overlaps


def predicted(
    fire: Callable[[int], Firings], entities: Iterable[int], n_rules: int, *, most: int = PAIRS
) -> tuple[Any, bool]:
    """List the pairs that each rule predicts.

    Parameters
    ----------
    fire
        What the rules lead to from an entity.
    entities
        The X of the pairs (X, Y), asked in this order until ``most`` pairs are found.
    n_rules

    Returns
    -------
    predicts : sparse (n_rules, n_pairs)
        1 where the rule predicts the pair.
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
    at = np.concatenate(rules), np.concatenate(columns)
    predicts = sparse.csr_array((np.ones(len(at[0]), np.float32), at), shape=(n_rules, seen))
    predicts.data[:] = 1  # also where a rule led to a pair twice
    return predicts, whole


def overlaps(some: Any, others: Any) -> Floats:
    """Measure how far rules predict the same pairs.

    Parameters
    ----------
    some, others : sparse (n_some, n_pairs), (n_others, n_pairs)
        See :func:`predicted`.

    Returns
    -------
    (n_some, n_others)
        The Jaccard index, pairs predicted by both / pairs predicted by either; 0 where neither
        predicts any.
    """
    both = some.toarray() @ others.toarray().T
    own, other = (each.sum(axis=1, dtype=np.float64) for each in (some, others))
    either = own[:, None] + other[None, :] - both
    found: Floats = np.divide(both, either, out=np.zeros(both.shape), where=either > 0)
    return found


def clusters_of(
    predicts: Any, thresholds: Sequence[float], strength: npt.ArrayLike, *, most: int = COMPARED
) -> Labels:
    """Cluster rules whose pairs overlap by at least a threshold on average.

    Of more than ``most`` rules the strongest are clustered so. Each of the others joins the cluster
    of the one among them that it overlaps most with, if by the threshold; else it is a cluster of
    its own. Time and memory grow with ``most`` squared, and no faster than the number of rules.

    Parameters
    ----------
    predicts : sparse (n_rules, n_pairs)
        See :func:`predicted`.
    thresholds
    strength : (n_rules,)
    most : int

    Returns
    -------
    labels : (n_rules, n_thresholds)
        From 0.
    """
    n = predicts.shape[0]
    order = np.argsort(-np.asarray(strength, np.float64), kind="stable")
    best, rest = np.sort(order[:most]), np.sort(order[most:])
    labels = np.zeros((n, len(thresholds)), np.int32)
    compared = predicts[best]
    if len(best) > 1:
        distance = 1 - overlaps(compared, compared)
        np.fill_diagonal(distance, 0)
        tree = linkage(squareform(distance, checks=False), "average")
        for k, threshold in enumerate(thresholds):
            labels[best, k] = fcluster(tree, 1 - threshold, "distance") - 1
    free = labels.max(axis=0, initial=0) + 1
    for at in range(0, len(rest), most):
        some = rest[at : at + most]
        overlap = overlaps(predicts[some], compared)
        nearest = overlap.argmax(axis=1)
        for k, threshold in enumerate(thresholds):
            alone = overlap[np.arange(len(some)), nearest] < threshold
            labels[some, k] = labels[best[nearest], k]
            labels[some[alone], k] = free[k] + np.arange(alone.sum())
            free[k] += alone.sum()
    return labels
