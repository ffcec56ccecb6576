"""Metrics of single-label classification; all are fractions in [0, 1] (docs/conventions.md)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.metrics.bootstrap import differences, intervals
from parsimony.metrics.guard import checked

__all__ = [
    "METRICS", "classification_metrics", "cluster_bootstrap", "macro_f1_by_cluster",
    "paired_bootstrap",
]  # fmt: skip

IntArray = npt.NDArray[np.integer]
METRICS = ("macro_f1", "macro_f1_true_labels", "accuracy", "kappa")


def confusion(true: IntArray, predicted: IntArray, n_labels: int) -> npt.NDArray[np.int64]:
    """Return the counts of (true, predicted) labels, (n_labels, n_labels)."""
    code = true.astype(np.int64) * n_labels + predicted
    return np.bincount(code, minlength=n_labels * n_labels).reshape(n_labels, n_labels)


def of_confusion(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the ``METRICS`` of a confusion matrix.

    The F1 of a label is 2 TP / (true + predicted). ``macro_f1`` is its mean over the labels that
    occur in the true or predicted labels (scikit-learn's default), ``macro_f1_true_labels`` over
    those that occur in the true labels. Cohen's κ is (accuracy − chance) / (1 − chance), and 1
    where both are 1.
    """
    n = counts.sum()
    true, predicted, hit = counts.sum(1), counts.sum(0), np.diag(counts)
    either = true + predicted
    f1 = np.divide(2.0 * hit, either, out=np.zeros(len(hit)), where=either > 0)
    accuracy = hit.sum() / n
    chance = float(true @ predicted) / float(n) ** 2
    return {
        "macro_f1": float(f1[either > 0].mean()),
        "macro_f1_true_labels": float(f1[true > 0].mean()),
        "accuracy": float(accuracy),
        "kappa": float((accuracy - chance) / (1 - chance)) if chance < 1 else 1.0,
    }


def classification_metrics(true: IntArray, predicted: IntArray, n_labels: int) -> dict[str, float]:
    """Return macro-F1 (both kinds), accuracy and Cohen's κ of predicted labels.

    Parameters
    ----------
    true, predicted : int arrays, shape (n,)
        Labels 0 … n_labels − 1, n ≥ 1.

    Raises
    ------
    InvalidParameter
        No rows.
    """
    if not len(true):
        raise InvalidParameter("no labels to measure", remedy="evaluate at least one")
    return checked(of_confusion(confusion(true, predicted, n_labels)))


def _draws(
    true: IntArray, predicted: IntArray, cluster: IntArray, n_labels: int
) -> npt.NDArray[np.int64]:
    """Return the confusion matrix of every cluster, (n_clusters, n_labels²)."""
    _, number = np.unique(cluster, return_inverse=True)
    size = n_labels * n_labels
    code = number * size + true.astype(np.int64) * n_labels + predicted
    return np.bincount(code, minlength=(number.max() + 1) * size).reshape(-1, size)


def _times(generator: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """Return how often each of ``n`` clusters is drawn when ``n`` are drawn with replacement."""
    return np.bincount(generator.integers(n, size=n), minlength=n)


def cluster_bootstrap(
    true: IntArray,
    predicted: IntArray,
    cluster: IntArray,
    n_labels: int,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Return 95 % intervals from resampling clusters, not pairs.

    Pairs of one drug are not independent, so drugs are resampled.

    Parameters
    ----------
    cluster : int array, shape (n,)
        The drug by which a pair is resampled.
    """
    drawn = cluster_draws(true, predicted, cluster, n_labels, draws=draws, seed=seed)
    return intervals(METRICS, drawn[1:])


def cluster_draws(
    true: IntArray, predicted: IntArray, cluster: IntArray, n_labels: int, *, draws: int = 500,
    seed: int = 0,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Return the measures of all pairs, then of resamples of clusters, (1 + draws, n_metrics)."""
    counts = _draws(true, predicted, cluster, n_labels)
    generator = np.random.default_rng(seed)
    found = [counts.sum(0)]
    found += [_times(generator, len(counts)) @ counts for _ in range(draws)]
    return np.array([[*of_confusion(c.reshape(n_labels, n_labels)).values()] for c in found])


def macro_f1_by_cluster(
    true: IntArray, predicted: IntArray, cluster: IntArray, n_labels: int
) -> npt.NDArray[np.float64]:
    """Return a number for each cluster whose mean is macro-F1, as its first order in the clusters.

    Macro-F1 is no mean over pairs, but the mean of these numbers over a draw of clusters is that
    draw's macro-F1 to first order (the infinitesimal jackknife: B. Efron, The jackknife, the
    bootstrap and other resampling plans, 1982, § 6). A pair of true label t and predicted label p
    moves F1_c = 2 TP_c / D_c by (2 [t = p = c] − F1_c ([t = c] + [p = c])) / D_c.

    Returns
    -------
    float64 array, shape (n_clusters,)
        In the order of the clusters' numbers.
    """
    counts = confusion(true, predicted, n_labels)
    either = counts.sum(0) + counts.sum(1)
    f1 = 2.0 * np.diag(counts) / np.maximum(either, 1)
    each = np.where(true == predicted, 2.0 / either[true], 0.0)
    each = each - f1[true] / either[true] - f1[predicted] / either[predicted]
    _, number = np.unique(cluster, return_inverse=True)
    moved = np.bincount(number, each) / (either > 0).sum()
    value: npt.NDArray[np.float64] = f1[either > 0].mean() + len(moved) * moved
    return value


def paired_bootstrap(
    true: IntArray,
    predicted: IntArray,
    other: IntArray,
    cluster: IntArray,
    n_labels: int,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return how much better ``predicted`` is than ``other``, on the same resampled clusters.

    Returns
    -------
    dict
        For each metric the ``difference``, its 95 % interval ``low`` … ``high``, and ``worse``, the
        fraction of draws in which it is not better.
    """
    a, b = (
        cluster_draws(true, each, cluster, n_labels, draws=draws, seed=seed)
        for each in (predicted, other)
    )
    return differences(METRICS, a[0] - b[0], a[1:] - b[1:])
