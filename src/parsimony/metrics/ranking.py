"""Rank metrics with a typed tie policy (docs/conventions.md).

With ``greater`` candidates scored strictly higher than an answer and ``equal`` others scored the
same, the optimistic rank is greater + 1, the pessimistic one greater + equal + 1, and the
realistic rank is their mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter, suggest
from parsimony.metrics.bootstrap import bootstrap_interval
from parsimony.metrics.guard import checked

Policy = Literal["realistic", "optimistic", "pessimistic"]
IntArray = npt.NDArray[np.integer[Any]]
HITS = (1, 3, 10)
_COLUMNS = ("greater", "equal", "relation", "direction")


def rank_of(
    greater: IntArray, equal: IntArray, policy: Policy = "realistic"
) -> npt.NDArray[np.float64]:
    """Return the ranks (n,), from 1, given the counts of better and equal candidates.

    Raises
    ------
    InvalidParameter
        An unknown policy.
    """
    share = {"optimistic": 0.0, "realistic": 0.5, "pessimistic": 1.0}
    if policy not in share:
        raise InvalidParameter(
            f"the tie policy must be realistic, optimistic or pessimistic. Got {policy!r}",
            remedy=suggest(str(policy), share),
        )
    return np.asarray(1.0 + greater + share[policy] * equal, np.float64)


def ranking_metrics(ranks: npt.NDArray[np.floating[Any]]) -> dict[str, float]:
    """Return MRR, the mean of 1/rank, and Hits@k, the fraction of ranks ≤ k (1.5 misses Hits@1).

    They are 0 for no ranks.
    """
    if not len(ranks):
        return {"mrr": 0.0} | {f"hits@{k}": 0.0 for k in HITS}
    hits = {f"hits@{k}": float(np.mean(ranks <= k)) for k in HITS}
    return checked({"mrr": float(np.mean(1.0 / ranks)), **hits})


@dataclass(frozen=True)
class Ranks:
    """Rank counts of answers, a state that can be concatenated over shards (``a + b``).

    Parameters
    ----------
    greater, equal
        (n,) counts of other candidates with a higher, and with an equal, score.
    relation, direction
        (n,) relation id, and 0 for a tail query or 1 for a head query.
    """

    greater: IntArray
    equal: IntArray
    relation: IntArray
    direction: IntArray

    def __post_init__(self) -> None:
        """Refuse columns of unequal length, and counts below 0, which no ranking has.

        With the former ranks would be assigned to the wrong relations, with the latter an answer
        would rank better than first.
        """
        lengths = {name: len(getattr(self, name)) for name in _COLUMNS}
        if len(set(lengths.values())) > 1:
            raise InvalidParameter(f"the columns of ranks must have one length. Got {lengths}")
        if len(self) and min(int(self.greater.min()), int(self.equal.min())) < 0:
            raise InvalidParameter("counts of candidates must be at least 0")

    def __len__(self) -> int:
        """Return the number of ranked answers."""
        return len(self.greater)

    def __add__(self, other: Ranks) -> Ranks:
        """Concatenate two shards."""
        return Ranks.join([self, other])

    @classmethod
    def join(cls, shards: Iterable[Ranks]) -> Ranks:
        """Concatenate any number of shards, including none."""
        shards = [cls.empty(), *shards]
        return cls(*(np.concatenate([getattr(s, name) for s in shards]) for name in _COLUMNS))

    @classmethod
    def empty(cls) -> Ranks:
        """Return the ranks of no answers, the neutral element of concatenation."""
        return cls(*(np.empty(0, np.int32) for _ in _COLUMNS))

    def ranks(self, policy: Policy = "realistic") -> npt.NDArray[np.float64]:
        """Return the ranks (n,) under a tie policy."""
        return rank_of(self.greater, self.equal, policy)

    def metrics(self, policy: Policy = "realistic") -> dict[str, float]:
        """Return MRR and Hits@1, 3, 10."""
        return ranking_metrics(self.ranks(policy))

    def summary(self, seed: int = 0) -> dict[str, Any]:
        """Return the headline metrics, both bounds, and the bootstrap interval of the MRR."""
        low, high = bootstrap_interval(1.0 / self.ranks(), seed)
        return {
            "policy": "realistic",
            "metrics": self.metrics(),
            "optimistic": self.metrics("optimistic"),
            "pessimistic": self.metrics("pessimistic"),
            "interval": {"mrr": [low, high]},
            "n_queries": len(self),
        }

    def where(self, members: npt.NDArray[np.bool_]) -> Ranks:
        """Return the ranks of some of the answers, by a mask (n,)."""
        return Ranks(*(getattr(self, name)[members] for name in _COLUMNS))

    def brief(self, seed: int = 0) -> dict[str, Any]:
        """Return ``n_queries, mrr, hits@…`` and the bootstrap ``interval`` of the MRR."""
        ranks = self.ranks()
        interval = list(bootstrap_interval(1.0 / ranks, seed, resamples=500))
        return {"n_queries": len(self), **ranking_metrics(ranks), "interval": interval}

    def per_relation(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return one row per relation that occurs, the most frequent first.

        Parameters
        ----------
        names
            Relation names by id.

        Returns
        -------
        list of dict
            ``relation, n_queries, mrr, hits@…, mrr_tail, mrr_head``; the last two are None if
            there was no query in that direction.
        """
        found, row = np.unique(self.relation, return_inverse=True)
        ranks = self.ranks()

        def means(values: npt.NDArray[Any], of: npt.NDArray[np.bool_] | None = None) -> Any:
            which = row if of is None else row[of]
            values = values if of is None else values[of]
            n = np.bincount(which, minlength=len(found))
            total = np.bincount(which, values, minlength=len(found))
            return [float(t / c) if c else None for t, c in zip(total, n, strict=True)]

        columns = {
            "n_queries": np.bincount(row, minlength=len(found)).tolist(),
            "mrr": means(1.0 / ranks),
            **{f"hits@{k}": means(ranks <= k) for k in HITS},
            "mrr_tail": means(1.0 / ranks, self.direction == 0),
            "mrr_head": means(1.0 / ranks, self.direction == 1),
        }
        rows = [
            {"relation": names[int(relation)], **{key: v[i] for key, v in columns.items()}}
            for i, relation in enumerate(found)
        ]
        return sorted(rows, key=lambda entry: (-entry["n_queries"], entry["relation"]))
