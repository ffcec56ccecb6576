"""Metrics of multi-label classification: average precision and ROC-AUC per label.

Both treat ties as ties: the order of the rows has no influence. Average precision takes a group of
equal scores as one threshold; ROC-AUC counts a tied pair of rows as one half.

Where every true row has a negative, a row that should score lower, a label is evaluated only on the
true rows that have it and their negatives (docs/conventions.md): :func:`contrast_metrics`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.metrics.bootstrap import differences, intervals
from parsimony.metrics.guard import checked, require_scores

__all__ = [
    "CONTRAST",
    "average_precision",
    "contrast_bootstrap",
    "contrast_metrics",
    "contrast_paired_bootstrap",
    "multilabel_metrics",
    "roc_auc",
]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
CONTRAST = ("pr_auc", "roc_auc")


def _counts(true: BoolArray, score: FloatArray) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the numbers of true and false rows at or above every distinct score, descending."""
    require_scores(score, unreached=True)
    order = np.argsort(-score, kind="stable")
    hit, ordered = true[order], score[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    positives = np.cumsum(hit, dtype=np.int64)[last]
    return positives, last + 1 - positives


def average_precision(true: BoolArray, score: FloatArray) -> float:
    """Return the average precision, Σ_k (R_k − R_{k−1}) P_k over the distinct scores.

    Parameters
    ----------
    true : bool array, shape (n,)
        At least one is true.
    score : float array, shape (n,)
        Higher means more likely.

    Raises
    ------
    InvalidParameter
        No row is true: there is no recall.
    TrainingDiverged
        A score is NaN or +∞.
    """
    if not true.any():
        raise InvalidParameter("average precision needs a true row", remedy="evaluate more rows")
    positives, negatives = _counts(true, score)
    gained = np.diff(positives, prepend=0)
    return float((gained * (positives / (positives + negatives))).sum() / positives[-1])


def roc_auc(true: BoolArray, score: FloatArray) -> float:
    """Return the fraction of (true, false) pairs where the true one scores higher; ties count ½.

    Parameters
    ----------
    true : bool array, shape (n,)
        At least one is true and one is false.
    score : float array, shape (n,)

    Raises
    ------
    InvalidParameter
        All rows are of one kind: there is no pair to compare.
    TrainingDiverged
        A score is NaN or +∞.
    """
    if not true.any() or true.all():
        raise InvalidParameter(
            "ROC-AUC needs true rows and false ones", remedy="evaluate more rows"
        )
    positives, negatives = _counts(true, score)
    gained = np.diff(positives, prepend=0)
    below = negatives[-1] - negatives
    tied = np.diff(negatives, prepend=0)
    couples = float(positives[-1]) * float(negatives[-1])
    return float((gained * (below + tied / 2.0)).sum() / couples)


def multilabel_metrics(true: BoolArray, score: FloatArray) -> dict[str, float]:
    """Return PR-AUC and ROC-AUC, averaged over the labels with both true and false rows.

    Parameters
    ----------
    true : bool array, shape (n, n_labels)
    score : float array, shape (n, n_labels)

    Returns
    -------
    dict
        ``pr_auc``, ``roc_auc`` in [0, 1], and ``labels``, the number of labels averaged.

    Raises
    ------
    InvalidParameter
        Shapes differ, or no label has both kinds of rows.
    TrainingDiverged
        A score is NaN or +∞.
    """
    if true.shape != score.shape or true.ndim != 2:
        raise InvalidParameter(f"true and score must be (n, n_labels): {true.shape}, {score.shape}")
    kept = np.flatnonzero(true.any(0) & ~true.all(0))
    if not len(kept):
        raise InvalidParameter(
            "no label has both true and false rows", remedy="evaluate more pairs"
        )
    found = {
        "pr_auc": float(np.mean([average_precision(true[:, j], score[:, j]) for j in kept])),
        "roc_auc": float(np.mean([roc_auc(true[:, j], score[:, j]) for j in kept])),
    }
    return checked(found) | {"labels": len(kept)}


def contrast_metrics(
    labels: BoolArray, score: FloatArray, corrupted: FloatArray
) -> dict[str, float]:
    """Return PR-AUC and ROC-AUC of true rows against their negatives, averaged over labels.

    Parameters
    ----------
    labels : bool array, shape (n, n_labels)
        The labels of each true row; its negative is scored for the same ones.
    score, corrupted : float arrays, shape (n, n_labels)
        Scores of the true rows and of their negatives.

    Returns
    -------
    dict
        ``pr_auc`` and ``roc_auc`` in [0, 1], means over the labels that occur. A constant score
        gets .5 in both; with few rows a random score gets more in ``pr_auc``.

    Raises
    ------
    InvalidParameter
        Shapes differ, or no row has a label.
    TrainingDiverged
        A score is NaN or infinite.
    """
    _check(labels, score, corrupted)
    once = np.ones((1, len(labels)))
    found = _contrasts(labels, score, corrupted, once)[0]
    return checked(dict(zip(CONTRAST, found.tolist(), strict=True)))


def contrast_bootstrap(
    labels: BoolArray,
    score: FloatArray,
    corrupted: FloatArray,
    cluster: IntArray,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Return 95 % intervals of :func:`contrast_metrics` from resampling clusters (n,)."""
    found = contrast_draws(labels, score, corrupted, cluster, draws=draws, seed=seed)
    return intervals(CONTRAST, found[1:])


def contrast_draws(
    labels: BoolArray, score: FloatArray, corrupted: FloatArray, cluster: IntArray, *,
    draws: int = 500, seed: int = 0,
) -> FloatArray:  # fmt: skip
    """Return the measures of all pairs, then of resamples of clusters, (1 + draws, n_metrics)."""
    times = np.concatenate([np.ones((1, len(labels))), _times(cluster, draws, seed)])
    return _contrasts(labels, score, corrupted, times)


def contrast_paired_bootstrap(
    labels: BoolArray,
    ours: tuple[FloatArray, FloatArray],
    theirs: tuple[FloatArray, FloatArray],
    cluster: IntArray,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return how much better one (score, corrupted) is than another, on the same clusters.

    Returns
    -------
    dict
        For each metric the ``difference``, its 95 % interval ``low`` … ``high``, and ``worse``, the
        fraction of draws in which it is not better.
    """
    a, b = (
        contrast_draws(labels, *each, cluster, draws=draws, seed=seed) for each in (ours, theirs)
    )
    found = a - b
    return differences(CONTRAST, found[0], found[1:])


def _times(cluster: IntArray, draws: int, seed: int) -> npt.NDArray[np.float64]:
    """Return how often each row (n,) is drawn with its cluster, (draws, n)."""
    _, number = np.unique(cluster, return_inverse=True)
    n = int(number.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    times: npt.NDArray[np.float64] = drawn[:, number].astype(np.float64)
    return times


def _contrasts(
    labels: BoolArray, score: FloatArray, corrupted: FloatArray, times: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return both metrics averaged over labels, with row counts ``times`` (draws, n): (draws, 2).

    A label that no row of a draw has is left out of that draw.
    """
    total, counted = np.zeros((len(times), 2)), np.zeros(len(times))
    for j in np.flatnonzero(labels.any(0)):
        rows = np.flatnonzero(labels[:, j])
        both = np.concatenate([score[rows, j], corrupted[rows, j]])
        order = np.argsort(-both, kind="stable")
        last = np.append(np.flatnonzero(np.diff(both[order])), len(order) - 1)
        weight = np.concatenate([times[:, rows], times[:, rows]], 1)[:, order]
        hit = order < len(rows)
        positives = np.cumsum(weight * hit, 1)[:, last]
        negatives = np.cumsum(weight * ~hit, 1)[:, last]
        here = positives[:, -1] > 0
        positives, negatives = positives[here], negatives[here]
        n = positives[:, -1]  # equal to the number of negatives
        gained = np.diff(positives, prepend=0)
        seen = positives + negatives
        precision = np.divide(positives, seen, out=np.zeros_like(seen), where=seen > 0)
        tied = np.diff(negatives, prepend=0)
        total[here, 0] += (gained * precision).sum(1) / n
        total[here, 1] += (gained * (n[:, None] - negatives + tied / 2)).sum(1) / n**2
        counted += here
    return total / np.maximum(counted, 1)[:, None]


def _check(labels: BoolArray, *scores: FloatArray) -> None:
    if labels.ndim != 2 or any(labels.shape != score.shape for score in scores):
        shapes = ", ".join(str(score.shape) for score in scores)
        raise InvalidParameter(f"labels and scores must be (n, n_labels): {labels.shape}, {shapes}")
    for score in scores:
        require_scores(score)
    if not labels.any():
        raise InvalidParameter("no row has a label", remedy="evaluate more pairs")
