"""Measures of multi-label classification: does each label's score tell its pairs from others.

Both treat equal scores as what they are, equal: the order of the rows cannot help. Average
precision takes a group of equal scores as one threshold; ROC-AUC counts a tied couple half.

Where every true row has a corruption, a row that should score lower, a label is measured on the
true rows that carry it and their corruptions alone (docs/conventions.md):
:func:`contrast_metrics`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.metrics.bootstrap import differences, intervals

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
    """True and false rows at or above every distinct score, the highest first."""
    order = np.argsort(-score, kind="stable")
    hit, ordered = true[order], score[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    positives = np.cumsum(hit, dtype=np.int64)[last]
    return positives, last + 1 - positives


def average_precision(true: BoolArray, score: FloatArray) -> float:
    """Area below precision over recall, Σ_k (R_k − R_{k−1}) P_k over the distinct scores.

    Parameters
    ----------
    true : bool array, shape (n,)
        At least one is true.
    score : float array, shape (n,)
        Higher means more likely.
    """
    positives, negatives = _counts(true, score)
    gained = np.diff(positives, prepend=0)
    return float((gained * (positives / (positives + negatives))).sum() / positives[-1])


def roc_auc(true: BoolArray, score: FloatArray) -> float:
    """Share of (true, false) couples in which the true one scores higher; ties count half.

    Parameters
    ----------
    true : bool array, shape (n,)
        At least one is true and one is false.
    score : float array, shape (n,)
    """
    positives, negatives = _counts(true, score)
    gained = np.diff(positives, prepend=0)
    below = negatives[-1] - negatives
    tied = np.diff(negatives, prepend=0)
    couples = float(positives[-1]) * float(negatives[-1])
    return float((gained * (below + tied / 2.0)).sum() / couples)


def multilabel_metrics(true: BoolArray, score: FloatArray) -> dict[str, float]:
    """PR-AUC and ROC-AUC, averaged over the labels that have a true and a false row.

    Parameters
    ----------
    true : bool array, shape (n, n_labels)
    score : float array, shape (n, n_labels)

    Returns
    -------
    dict
        ``pr_auc``, ``roc_auc`` in [0, 1], and ``labels``, how many were averaged over.

    Raises
    ------
    InvalidParameter
        Shapes differ, a score is not a number, or no label has both kinds of rows.
    """
    if true.shape != score.shape or true.ndim != 2:
        raise InvalidParameter(f"true and score must be (n, n_labels): {true.shape}, {score.shape}")
    if np.isnan(score).any():
        raise InvalidParameter("a score is not a number", remedy="look at the model's weights")
    kept = np.flatnonzero(true.any(0) & ~true.all(0))
    if not len(kept):
        raise InvalidParameter("no label has both true and false rows", remedy="ask more pairs")
    return {
        "pr_auc": float(np.mean([average_precision(true[:, j], score[:, j]) for j in kept])),
        "roc_auc": float(np.mean([roc_auc(true[:, j], score[:, j]) for j in kept])),
        "labels": len(kept),
    }


def contrast_metrics(
    labels: BoolArray, score: FloatArray, corrupted: FloatArray
) -> dict[str, float]:
    """PR-AUC and ROC-AUC of true rows against their corruptions, averaged over labels.

    Parameters
    ----------
    labels : bool array, shape (n, n_labels)
        Which labels each true row carries; its corruption is asked for the same ones.
    score, corrupted : float arrays, shape (n, n_labels)
        Of the true rows, and of their corruptions.

    Returns
    -------
    dict
        ``pr_auc`` and ``roc_auc`` in [0, 1], means over the labels that a row carries. A constant
        score gets .5 in both; of few rows a random one gets more in ``pr_auc``.

    Raises
    ------
    InvalidParameter
        Shapes differ, a score is not a number, or no row carries a label.
    """
    _check(labels, score, corrupted)
    once = np.ones((1, len(labels)))
    found = _contrasts(labels, score, corrupted, once)[0]
    return dict(zip(CONTRAST, found.tolist(), strict=True))


def contrast_bootstrap(
    labels: BoolArray,
    score: FloatArray,
    corrupted: FloatArray,
    cluster: IntArray,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, list[float]]:
    """95 % intervals of :func:`contrast_metrics` when clusters (n,) are drawn anew."""
    found = _contrasts(labels, score, corrupted, _times(cluster, draws, seed))
    return intervals(CONTRAST, found)


def contrast_paired_bootstrap(
    labels: BoolArray,
    ours: tuple[FloatArray, FloatArray],
    theirs: tuple[FloatArray, FloatArray],
    cluster: IntArray,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """How much better our (score, corrupted) are than theirs, drawn over the same clusters.

    Returns
    -------
    dict
        For each metric the ``difference``, its 95 % interval ``low`` … ``high``, and ``worse``, the
        share of draws in which it is not better.
    """
    times = np.concatenate([np.ones((1, len(labels))), _times(cluster, draws, seed)])
    found = _contrasts(labels, *ours, times) - _contrasts(labels, *theirs, times)
    return differences(CONTRAST, found[0], found[1:])


def _times(cluster: IntArray, draws: int, seed: int) -> npt.NDArray[np.float64]:
    """How often each row (n,) is drawn, for every draw of its cluster: (draws, n)."""
    _, number = np.unique(cluster, return_inverse=True)
    n = int(number.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    times: npt.NDArray[np.float64] = drawn[:, number].astype(np.float64)
    return times


def _contrasts(
    labels: BoolArray, score: FloatArray, corrupted: FloatArray, times: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Means over labels of both measures, for rows that count ``times`` (draws, n): (draws, 2).

    A draw in which no row carries a label leaves that label out.
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
        n = positives[:, -1]  # as many corruptions
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
    if any(np.isnan(score).any() for score in scores):
        raise InvalidParameter("a score is not a number", remedy="look at the model's weights")
    if not labels.any():
        raise InvalidParameter("no row carries a label", remedy="ask more pairs")
