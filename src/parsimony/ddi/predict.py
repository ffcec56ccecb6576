"""How two drugs interact, in both orders, with what the run knows of its own probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from parsimony.answers import Answers
from parsimony.ddi.calibration import LEVEL, Calibration
from parsimony.ddi.task import DDITask
from parsimony.errors import UsageError

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class PairQuestion:
    """Which interaction two drugs have.

    Attributes
    ----------
    orders
        The ordered pairs that are scored: both orders, or one where a pair has none.
    top
        How many answers.
    """

    task: DDITask
    orders: tuple[tuple[int, int], ...]
    top: int

    @classmethod
    def of(cls, task: DDITask, drug_a: str, drug_b: str, top: int) -> Self:
        """Look the drugs up; see :meth:`parsimony.ddi.estimator.PairEstimator.predict`."""
        if top < 1:
            raise UsageError(f"top must be at least 1. Got {top}", remedy="for example top=5")
        a, b = task.data.drug(drug_a), task.data.drug(drug_b)
        if a == b:
            raise UsageError(f"{task.data.label(a)} with itself", remedy="name two drugs")
        return cls(task, task.labelling.orders(a, b), top)

    def answers(
        self, raw: FloatArray, calibration: Calibration | None, notes: list[str]
    ) -> Answers:
        """Rank the types by the probabilities (n_orders, n_types) of the ordered pairs."""
        data, (a, b) = self.task.data, self.orders[0]
        table = raw if calibration is None else calibration.calibrated(raw)
        best = np.argsort(-table.ravel(), kind="stable")[: self.top]
        answers = []
        for order, kind in zip(*np.unravel_index(best, table.shape), strict=True):
            first, second = self.orders[int(order)]
            answers.append(
                {
                    "drug1": data.label(first),
                    "drug2": data.label(second),
                    "type": data.types.name(int(kind)),
                    "probability": float(table[order, kind]),
                    "uncalibrated": float(raw[order, kind]),
                    "text": data.sentence(first, int(kind), second),
                    "acting": data.acting(first, int(kind), second),
                }
            )
        result = Answers(
            query={"drug_a": data.label(a), "drug_b": data.label(b)},
            answers=answers,
            labels="several" if data.multilabel else "one",
            set=None,
            setting=self.setting,
            calibration=None,
        )
        if calibration is not None:
            result["set"] = self._sets(table, calibration)
            result["calibration"] = {
                "setting": calibration.setting,
                "n_pairs": calibration.n_pairs,
            }
        result["known"] = [
            {"split": split, "text": data.sentence(x, kind, y), "acting": data.acting(x, kind, y)}
            for split, rows in data.pairs.items()
            for x, kind, y in rows[np.isin(rows[:, [0, 2]], (a, b)).all(1)].tolist()
        ]
        result["notes"] = notes
        return result

    def _sets(self, table: FloatArray, calibration: Calibration) -> dict[str, Any]:
        """The prediction sets of both orders, most probable types first; empty: it abstains."""
        data, inside = self.task.data, calibration.reached(table)
        least = 1 - calibration.thresholds[LEVEL]
        found = []
        for row, held, (first, second) in zip(table, inside, self.orders, strict=True):
            kinds = [int(k) for k in np.argsort(-row, kind="stable") if held[k]]
            found.append(
                {
                    "drug1": data.label(first),
                    "drug2": data.label(second),
                    "types": [data.types.name(k) for k in kinds],
                    "texts": [data.sentence(first, k, second) for k in kinds],
                    "abstains": not kinds,
                }
            )
        return {"level": LEVEL, "least": least if np.isfinite(least) else None, "orders": found}

    @property
    def setting(self) -> str:
        """S0, S1 or S2: by how many of the two have no known interaction with a third drug."""
        a, b = self.orders[0]
        drugs = self.task.visible("test")[:, [0, 2]]
        others = drugs[~np.isin(drugs, (a, b)).all(1)]
        return f"S{2 - int((others == a).any()) - int((others == b).any())}"
