"""How two drugs interact, both orders asked, with what the run knows of its own probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsimony.ddi.calibration import LEVEL, Confidence
from parsimony.ddi.task import DDITask
from parsimony.errors import UsageError

if TYPE_CHECKING:
    from parsimony.ddi.estimator import PairEstimator

Pair = tuple[int, int]


def predict_pair(estimator: PairEstimator, drug_a: str, drug_b: str, top: int) -> dict[str, Any]:
    """Answer :meth:`parsimony.ddi.estimator.PairEstimator.predict`."""
    if top < 1:
        raise UsageError(f"top must be at least 1. Got {top}", remedy="--top 5")
    task = estimator.task_
    data = task.data
    a, b = data.drug(drug_a), data.drug(drug_b)
    if a == b:
        raise UsageError(f"{data.label(a)} with itself", remedy="name two drugs")
    orders = task.labelling.orders(a, b)
    raw = estimator.asked_alone(np.array(orders, np.int32))
    table, confidence = estimator.calibrated(raw), estimator.confidence
    best = np.argsort(-table.ravel(), kind="stable")[:top]
    answers = []
    for order, kind in zip(*np.unravel_index(best, table.shape), strict=True):
        first, second = orders[int(order)]
        answers.append(
            {
                "drug1": data.label(first),
                "drug2": data.label(second),
                "type": data.types.name(int(kind)),
                "probability": float(table[order, kind]),
                "uncalibrated": float(raw[order, kind]),
                "text": data.sentence(first, int(kind), second),
            }
        )
    result: dict[str, Any] = {
        "query": {"drug_a": data.label(a), "drug_b": data.label(b)},
        "answers": answers,
        "labels": "several" if data.multilabel else "one",
        "set": None,
        "setting": f"S{_new_drugs(task, a, b)}",
        "calibration": None,
    }
    if confidence is not None:
        result["set"] = _sets(task, confidence, table, orders)
        result["calibration"] = {"setting": confidence.setting, "n_pairs": confidence.n_pairs}
    result["known"] = [
        {"split": split, "text": data.sentence(x, kind, y)}
        for split, rows in data.pairs.items()
        for x, kind, y in rows[np.isin(rows[:, [0, 2]], (a, b)).all(1)].tolist()
    ]
    result["notes"] = list(filter(None, (estimator.structure_alone(drug) for drug in (a, b))))
    return result


def _sets(
    task: DDITask, confidence: Confidence, table: npt.NDArray[Any], orders: tuple[Pair, ...]
) -> dict[str, Any]:
    """The prediction sets of both orders, most probable types first."""
    data, inside = task.data, confidence.sets(table)
    found = []
    for row, held, (first, second) in zip(table, inside, orders, strict=True):
        kinds = [int(k) for k in np.argsort(-row, kind="stable") if held[k]]
        found.append(
            {
                "drug1": data.label(first),
                "drug2": data.label(second),
                "types": [data.types.name(k) for k in kinds],
                "texts": [data.sentence(first, k, second) for k in kinds],
            }
        )
    return {"level": LEVEL, "orders": found}


def _new_drugs(task: DDITask, a: int, b: int) -> int:
    """How many of the two have no known interaction with a third drug."""
    drugs = task.visible("test")[:, [0, 2]]
    others = drugs[~np.isin(drugs, (a, b)).all(1)]
    return 2 - int((others == a).any()) - int((others == b).any())
