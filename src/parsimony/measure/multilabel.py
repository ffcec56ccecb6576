"""Measures of multi-label classification: does each label's score tell its pairs from others.

Both treat equal scores as what they are, equal: the order of the rows cannot help. Average
precision takes a group of equal scores as one threshold; ROC-AUC counts a tied couple half.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter

__all__ = ["average_precision", "multilabel_metrics", "roc_auc"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating]


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
