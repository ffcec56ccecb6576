"""The trainer of every iterated method.

A method brings a :class:`Learner`; :class:`NetworkLearner` is one over a torch network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.training.learner import Learner, Schedule, Step
    from parsimony.training.network import NetworkLearner
    from parsimony.training.trainer import Outcome, Trainer

__all__ = ["Learner", "NetworkLearner", "Outcome", "Schedule", "Step", "Trainer"]

__getattr__ = lazy(
    __name__,
    {
        "Learner": "learner",
        "NetworkLearner": "network",
        "Outcome": "trainer",
        "Schedule": "learner",
        "Step": "learner",
        "Trainer": "trainer",
    },
)
