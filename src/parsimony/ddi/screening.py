"""Screen one drug against all others: the most probable interaction of each, both orders scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.ddi.data import DDIData
from parsimony.ddi.estimator import AnyPairEstimator
from parsimony.errors import UsageError

__all__ = ["screen"]

IntArray = npt.NDArray[np.int32]


def screen(
    estimator: AnyPairEstimator, drug: str, *, top: int = 20, drop_known: bool = False
) -> dict[str, Any]:
    """All partners of a drug, ranked by the probability of their most probable interaction.

    Parameters
    ----------
    estimator
        Fitted.
    drug
        Id, external id or name, in any case.
    top
        For how many partners a reason is given.
    drop_known
        Leave out partners with which the data state an interaction.

    Returns
    -------
    dict
        ``{"drug", "partners": [{"drug", "id", "order", "type", "probability", "text", "acting",
        "reason", "known"}], "notes"}``. ``order`` names the first and the second drug of the row
        that is scored, as :meth:`explain` takes it; ``text`` is its sentence, and ``acting`` the
        drug that this says acts, None where it claims no direction. ``reason`` is "" beyond
        ``top``. ``known`` lists what the data state of the pair (``{"split", "text", "acting"}``):
        the pair is scored without it, all else in view.

    Raises
    ------
    UnknownDrug
        With the closest name.
    FormatError
        A name that several drugs have.
    UsageError
        ``top`` below 1.
    """
    estimator._require_fitted()
    if top < 1:
        raise UsageError(f"top must be at least 1. Got {top}", remedy="for example top=20")
    data = estimator.task_.data
    query = data.drug(drug)
    known = _known(data, query)
    left_out = [query, *known] if drop_known else [query]
    others = np.delete(np.arange(data.n_drugs, dtype=np.int32), left_out)
    if not len(others):
        raise UsageError(
            f"no partner of {data.label(query)} is left", remedy="leave --drop-known out"
        )
    own = np.full_like(others, query)
    pairs = np.stack([np.stack([own, others], 1), np.stack([others, own], 1)], 1)
    ordered = np.ascontiguousarray(pairs.reshape(-1, 2))
    table = estimator.calibrated(estimator.predict_proba_leave_pair_out(ordered), ordered)
    table = table.reshape(len(others), -1)  # both orders side by side
    best = table.argmax(1)
    order, kind = best // data.n_types, best % data.n_types
    probability = table[np.arange(len(others)), best]
    ranked = np.argsort(-probability, kind="stable")
    rows = pairs[np.arange(len(others)), order][ranked]
    rows = np.insert(rows, 1, kind[ranked], axis=1).astype(np.int32)
    reasons = estimator.reasons(rows[:top])
    partners = []
    for place, (u, t, v) in enumerate(rows.tolist()):
        other = v if u == query else u
        partners.append(
            {
                "drug": data.label(other),
                "id": data.drugs.name(other),
                "order": [data.label(u), data.label(v)],
                "type": data.types.name(t),
                "probability": float(probability[ranked[place]]),
                "text": data.sentence(u, t, v),
                "acting": data.acting(u, t, v),
                "reason": reasons[place] if place < len(reasons) else "",
                "known": known.get(other, []),
            }
        )
    notes = estimator.ground_notes(query)
    return {"drug": data.label(query), "partners": partners, "notes": notes}


def _known(data: DDIData, drug: int) -> dict[int, list[dict[str, Any]]]:
    """What the data state of a drug, by partner."""
    found: dict[int, list[dict[str, Any]]] = {}
    for split, rows in data.pairs.items():
        for u, t, v in rows[(rows[:, [0, 2]] == drug).any(1)].tolist():
            acting = data.acting(u, t, v)
            fact = {"split": split, "text": data.sentence(u, t, v), "acting": acting}
            found.setdefault(v if u == drug else u, []).append(fact)
    return found
