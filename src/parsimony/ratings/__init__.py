"""Cold-start recommendation: the ratings of new users from a few of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.ratings.baselines import EvidenceRegression, Means, Popularity, RidgeHead
    from parsimony.ratings.coldnas import ColdNAS, FiLM
    from parsimony.ratings.data import RatingData
    from parsimony.ratings.estimator import RatingEstimator
    from parsimony.ratings.table import load_ratings
    from parsimony.ratings.task import ColdStartOptions, ColdStartTask

__all__ = [
    "ColdNAS",
    "ColdStartOptions",
    "ColdStartTask",
    "EvidenceRegression",
    "FiLM",
    "Means",
    "Popularity",
    "RatingData",
    "RatingEstimator",
    "RidgeHead",
    "load_ratings",
]

__getattr__ = lazy(
    __name__,
    {
        "ColdNAS": "coldnas",
        "ColdStartOptions": "task",
        "ColdStartTask": "task",
        "EvidenceRegression": "baselines",
        "FiLM": "coldnas",
        "Means": "baselines",
        "Popularity": "baselines",
        "RatingData": "data",
        "RatingEstimator": "estimator",
        "RidgeHead": "baselines",
        "load_ratings": "table",
    },
)
