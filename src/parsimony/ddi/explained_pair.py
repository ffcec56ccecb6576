"""The interaction to explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from parsimony.ddi.estimator import AnyPairEstimator
from parsimony.errors import InvalidParameter, UsageError

__all__ = ["ExplainedPair"]


@dataclass(frozen=True)
class ExplainedPair:
    """An interaction (drug1, type, drug2) by numbers, and its calibrated probability."""

    drug1: int
    type: int
    drug2: int
    probability: float

    @classmethod
    def of(cls, estimator: AnyPairEstimator, head: str, relation: str | None, tail: str) -> Self:
        """Look up what a user asks; without a relation, the most probable one of either order.

        Raises
        ------
        UnknownDrug, UnknownRelation
            With the nearest known name.
        FormatError
            A name that several drugs have.
        UsageError
            A drug with itself.
        """
        data = estimator.task_.data
        u, v = data.drug(head), data.drug(tail)
        if u == v:
            raise UsageError(f"{data.label(u)} with itself", remedy="name two drugs")
        orders = estimator.task_.labelling.orders(u, v)
        pairs = np.array(orders, np.int32)
        table = estimator.calibrated(estimator.predict_proba_leave_pair_out(pairs), pairs)
        if relation is None:
            order, t = (int(i) for i in np.unravel_index(table.argmax(), table.shape))
            u, v = orders[order]
        else:
            order, t = 0, data.types.index(relation)
        return cls(u, t, v, float(table[order, t]))

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Drug1, type, drug2."""
        return self.drug1, self.type, self.drug2


def require_counts(n_paths: int, draws: int) -> None:
    """Refuse an explanation of nothing.

    Raises
    ------
    InvalidParameter
        No paths, or a negative number of draws.
    """
    if n_paths < 1 or draws < 0:
        raise InvalidParameter(
            f"n_paths must be at least 1 and draws at least 0. Got {n_paths}, {draws}"
        )
