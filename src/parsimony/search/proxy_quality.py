"""How good the search's proxies were: the predictor, and the lower rungs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parsimony.search.predictor import rank_correlation
from parsimony.search.settings import Rung
from parsimony.search.trial import Trial

__all__ = ["predictor_quality", "rung_quality"]


def predictor_quality(rounds: Sequence[Sequence[Trial]]) -> dict[str, Any] | None:
    """Compare predicted with measured figures, round by round.

    Parameters
    ----------
    rounds
        The measured trials of every round that had a predictor.

    Returns
    -------
    dict or None
        ``rounds``, ``trials``; ``rank_correlation``: Spearman's ρ between prediction and figure,
        the mean over rounds; ``lift``: figure of those chosen by the predictor less that of those
        chosen by chance from the same candidates, the mean over rounds, with its standard error
        ``lift_error``. None where nothing was predicted.
    """
    predicted = [[t for t in r if t.predicted is not None and t.error is None] for r in rounds]
    predicted = [r for r in predicted if r]
    if not predicted:
        return None
    correlations = [
        rank_correlation([t.predicted or 0.0 for t in r], [t.valid for t in r]) for r in predicted
    ]
    known = [c for c in correlations if c is not None]
    lifts = []
    for trials in predicted:
        chosen = [t.valid for t in trials if t.origin == "predictor"]
        lucky = [t.valid for t in trials if t.origin == "chance"]
        if chosen and lucky:
            lifts.append(float(np.mean(chosen) - np.mean(lucky)))
    error = float(np.std(lifts, ddof=1) / np.sqrt(len(lifts))) if len(lifts) > 1 else None
    return {
        "rounds": len(predicted),
        "trials": sum(map(len, predicted)),
        "rank_correlation": float(np.mean(known)) if known else None,
        "lift": float(np.mean(lifts)) if lifts else None,
        "lift_error": error,
    }


def rung_quality(ladder: Sequence[Rung], trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Spearman's ρ between each rung and each higher one, over structures measured on both.

    Only promoted structures are on a higher rung, so ρ is that of the best ones: a lower bound of
    what it would be over all.
    """
    figures = [
        {  # reversed: of several seeds the first counts
            t.canonical: t.valid for t in reversed(trials) if t.rung == rung and t.error is None
        }
        for rung in ladder
    ]
    found = []
    for low in range(len(ladder)):
        for high in range(low + 1, len(ladder)):
            both = [key for key in figures[low] if key in figures[high]]
            rho = rank_correlation(
                [figures[low][key] for key in both], [figures[high][key] for key in both]
            )
            found.append(
                {"from": str(ladder[low]), "to": str(ladder[high]), "structures": len(both),
                 "rank_correlation": rho}
            )  # fmt: skip
    return found
