"""The declared settings of a search, and its budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError

from parsimony.base import Parameters
from parsimony.errors import InvalidParameter

__all__ = ["Budget", "Rung", "SearchSettings"]


class SearchSettings(Parameters):
    """How candidates are drawn and chosen; the same for every space."""

    per_round: int = Field(8, ge=1, description="structures trained between two looks at them")
    candidates: int = Field(256, ge=1, description="structures drawn, of which per_round are kept")
    predictor: Literal["ridge", "mlp", "none"] = Field(
        "ridge", description="what ranks the candidates by their features"
    )
    explore: float = Field(
        0.25,
        ge=0,
        le=1,
        description="share of a round chosen by chance: keeps the predictor honest",
    )
    parents: int = Field(8, ge=1, description="greedy: best structures of a size that grow")
    rounds: int = Field(2, ge=1, description="greedy: rounds a size")
    population: int = Field(8, ge=2, description="evolution: structures that have children")
    pool: int | None = Field(
        None, ge=1,
        description="supernet: structures that share one training; left out: 400, or all of a "
        "space that can rank them all",
    )  # fmt: skip
    max_size: int | None = Field(
        None, ge=1, le=16,
        description="exhaustive: parts at most (bilinear: blocks, 6 if left out, 7 at most)",
    )  # fmt: skip
    keep: int = Field(4, ge=2, description="halving: one of so many goes on to the next rung")
    finalists: int = Field(2, ge=1, description="halving: structures on the last rung")
    repeats: int = Field(1, ge=1, description="halving: seeds on the last rung; their mean decides")
    share: float = Field(
        0.6, gt=0, le=1, description="share of the budget spent before halving begins"
    )

    @classmethod
    def of(cls, values: dict[str, Any]) -> SearchSettings:
        """Validate values.

        Raises
        ------
        InvalidParameter
            Outside the declared limits.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "?"
            field = cls.model_fields.get(name)
            raise InvalidParameter(
                f"the {name!r} setting of the search is not valid: {first['msg']}. "
                f"Got {first['input']!r}",
                remedy=(field.description or "") if field else "",
            ) from None


@dataclass(frozen=True)
class Rung:
    """How much one trial is trained: a step of the ladder of successive halving.

    Parameters
    ----------
    dim, epochs : int
    entities : float
        Share of the entities, in (0, 1]: the trial sees the facts among so many of them.

    Raises
    ------
    InvalidParameter
        A rung that trains nothing.
    """

    dim: int
    epochs: int
    entities: float = 1.0

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
                remedy="give a share above 0 and at most 1, such as 0.3",
            )

    def __str__(self) -> str:
        """Print ``64d × 5 epochs``, and the share of the entities where it is not 1."""
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

    def left(self, trials: int, seconds: float, epochs: int, share: float = 1.0) -> bool:
        """Whether another trial may start after so much was spent, of a share of the budget."""
        spent = ((self.trials, trials), (self.seconds, seconds), (self.epochs, epochs))
        return all(limit is None or used < share * limit for limit, used in spent)
