"""Rank metrics with a typed tie policy (design.md §3).

With ``greater`` candidates scored strictly higher than an answer and ``equal`` others scored the
same, the optimistic rank is greater + 1, the pessimistic one greater + equal + 1, and the
realistic rank is their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.measure.bootstrap import bootstrap_interval

Policy = Literal["realistic", "optimistic", "pessimistic"]
IntArray = npt.NDArray[np.integer[Any]]
HITS = (1, 3, 10)


def rank_of(
    greater: IntArray, equal: IntArray, policy: Policy = "realistic"
) -> npt.NDArray[np.float64]:
    """Ranks (n,), counted from 1, from the counts of better and equal candidates.

    Raises
    ------
    InvalidParameter
        An unknown policy.
    """
    share = {"optimistic": 0.0, "realistic": 0.5, "pessimistic": 1.0}
    if policy not in share:
        raise InvalidParameter(
            f"the tie policy must be realistic, optimistic or pessimistic. Got {policy!r}"
        )
    return np.asarray(1.0 + greater + share[policy] * equal, np.float64)


def ranking_metrics(ranks: npt.NDArray[np.floating[Any]]) -> dict[str, float]:
    """MRR = mean of 1/rank; Hits@k = share of ranks ≤ k (a rank of 1.5 misses Hits@1)."""
    if not len(ranks):
        return {"mrr": 0.0} | {f"hits@{k}": 0.0 for k in HITS}
    return {"mrr": float(np.mean(1.0 / ranks))} | {
        f"hits@{k}": float(np.mean(ranks <= k)) for k in HITS
    }


@dataclass(frozen=True)
class Ranks:
    """Rank counts of answers: a state that shards concatenate (``a + b``).

    Parameters
    ----------
    greater, equal
        (n,) counts of better and of equal other candidates.
    relation, direction
        (n,) relation id, and 0 for a tail query or 1 for a head query.
    """

    greater: IntArray
    equal: IntArray
    relation: IntArray
    direction: IntArray

    def __len__(self) -> int:
        """Return the number of ranked answers."""
        return len(self.greater)

    def __add__(self, other: Ranks) -> Ranks:
        """Join two shards."""
        names = ("greater", "equal", "relation", "direction")
        return Ranks(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def ranks(self, policy: Policy = "realistic") -> npt.NDArray[np.float64]:
        """Ranks (n,) under a tie policy."""
        return rank_of(self.greater, self.equal, policy)

    def metrics(self, policy: Policy = "realistic") -> dict[str, float]:
        """MRR and Hits@1, 3, 10."""
        return ranking_metrics(self.ranks(policy))

    def summary(self, seed: int = 0) -> dict[str, Any]:
        """Headline metrics, both bounds, and the bootstrap interval of the MRR."""
        low, high = bootstrap_interval(1.0 / self.ranks(), seed)
        return {
            "policy": "realistic",
            "metrics": self.metrics(),
            "optimistic": self.metrics("optimistic"),
            "pessimistic": self.metrics("pessimistic"),
            "interval": {"mrr": [low, high]},
            "n_queries": len(self),
        }

    def per_relation(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One row a relation that occurs, the most frequent first; heads and tails apart."""
        ranks = self.ranks()
        rows = []
        for relation in np.unique(self.relation):
            of = self.relation == relation
            rows.append(
                {
                    "relation": names[int(relation)],
                    "n_queries": int(of.sum()),
                    **ranking_metrics(ranks[of]),
                    "mrr_tail": ranking_metrics(ranks[of & (self.direction == 0)])["mrr"],
                    "mrr_head": ranking_metrics(ranks[of & (self.direction == 1)])["mrr"],
                }
            )
        return sorted(rows, key=lambda row: (-row["n_queries"], row["relation"]))
