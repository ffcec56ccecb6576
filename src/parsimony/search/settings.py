"""The declared settings of a search, and its budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from parsimony.base import Parameters
from parsimony.errors import InvalidParameter

__all__ = ["Budget", "Rung", "SearchSettings"]


class SearchSettings(Parameters):
    """How candidates are drawn and chosen; the same for every space."""

    per_round: int = Field(8, ge=1, description="structures trained per round")
    candidates: int = Field(
        256, ge=1, description="structures drawn per round, of which per_round are trained"
    )
    predictor: Literal["ridge", "mlp", "none"] = Field(
        "ridge", description="what ranks the candidates by their features"
    )
    explore: float = Field(
        0.25, ge=0, le=1,
        description="fraction of a round chosen by chance: keeps the predictor honest",
    )  # fmt: skip
    parents: int = Field(8, ge=1, description="greedy: best structures of a size that grow")
    rounds: int = Field(2, ge=1, description="greedy: rounds per size")
    population: int = Field(8, ge=2, description="evolution: structures that have children")
    pool: int | None = Field(
        None, ge=1,
        description="supernet: structures that share one training; default: 400, or all where "
        "one training can rank them all",
    )  # fmt: skip
    max_size: int | None = Field(
        None, ge=1, le=16,
        description="exhaustive: largest size (bilinear: blocks, default 6, at most 7)",
    )  # fmt: skip
    keep: int = Field(4, ge=2, description="halving: one in so many goes on to the next rung")
    finalists: int = Field(2, ge=1, description="halving: structures on the last rung")
    repeats: int = Field(1, ge=1, description="halving: seeds on the last rung; their mean decides")
    fraction: float = Field(
        0.6, gt=0, le=1, description="fraction of the budget spent before halving begins"
    )


@dataclass(frozen=True)
class Rung:
    """How much one trial is trained: a step of the ladder of successive halving.

    Parameters
    ----------
    dim, epochs : int
    entities : float
        Fraction of the entities, in (0, 1]: the trial sees the facts among so many of them.
    seconds : float, optional
        Wall seconds at most, after which the trial's learning rate has fallen to its end as well.

    Raises
    ------
    InvalidParameter
        A rung that trains nothing.
    """

    dim: int
    epochs: int
    entities: float = 1.0
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what trains nothing."""
        if self.dim < 1 or self.epochs < 1:
            raise InvalidParameter(
                f"a rung of dimension {self.dim} and {self.epochs} epochs",
                remedy="both must be at least 1",
            )
        if not 0 < self.entities <= 1:
            raise InvalidParameter(
                f"a rung with {self.entities:g} of the entities",
                remedy="give a fraction above 0 and at most 1, such as 0.3",
            )
        if self.seconds is not None and not self.seconds > 0:
            raise InvalidParameter(
                f"a rung of {self.seconds:g} seconds", remedy="give it more than 0"
            )

    def __str__(self) -> str:
        """Print ``64d × 5 epochs``, and the fraction of the entities where it is not 1."""
        of = "" if self.entities == 1 else f" on {100 * self.entities:g} % of the entities"
        return f"{self.dim}d × {self.epochs} epochs{of}"

    def to_list(self) -> list[float]:
        """Return the form that ``--set ladder=`` takes."""
        return [self.dim, self.epochs, *([self.entities] if self.entities < 1 else [])]


@dataclass(frozen=True)
class Budget:
    """What a search may spend: whichever ends first.

    Parameters
    ----------
    trials : int, optional
    seconds : float, optional
        Wall time over all resumed parts.
    epochs : int, optional
        Summed over the trials.

    Raises
    ------
    InvalidParameter
        A budget of 0 or less, or none at all.
    """

    trials: int | None = None
    seconds: float | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        """Refuse a search that could not begin, or not end."""
        for name, value in vars(self).items():
            if value is not None and not 0 < value < math.inf:
                raise InvalidParameter(
                    f"a budget of {value} {name} allows no trial",
                    remedy="give at least 1, such as --trials 30 or --time-budget 20m",
                )
        if self.trials is None and self.seconds is None and self.epochs is None:
            raise InvalidParameter(
                "a search needs a budget", remedy="give --trials 30 or --time-budget 20m"
            )

    def left(self, trials: int, seconds: float, epochs: int, fraction: float = 1.0) -> bool:
        """Whether another trial may start after so much was spent, of a fraction of the budget."""
        spent = ((self.trials, trials), (self.seconds, seconds), (self.epochs, epochs))
        return all(limit is None or used < fraction * limit for limit, used in spent)
