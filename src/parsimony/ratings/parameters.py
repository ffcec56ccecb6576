"""Declared parameters of the modulated predictors."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from parsimony.base import Parameters, tuned, tuned_among
from parsimony.errors import FormatError
from parsimony.knowledge.formula import Formula

__all__ = ["FOUND", "FiLMParameters", "ModulatedParameters", "TrainingParameters"]

#: Found by `search lastfm --space modulation` on validation users; see docs/coldstart.md.
FOUND = "min(h, b) + d; min(h, b) * c + d; min(h, b) * c + d; min(max(h, a), b) * c"


class TrainingParameters(Parameters):
    """Parameters of training a network on the supports and queries of users."""

    dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout, [0, 1)", json_schema_extra=tuned(0.0, 0.5)
    )
    lr: float = Field(
        3e-3, gt=0, description="learning rate of AdamW, > 0",
        json_schema_extra=tuned(5e-4, 0.02, log=True),
    )  # fmt: skip
    weight_decay: float = Field(
        0.01, ge=0, description="of AdamW, ≥ 0",
        json_schema_extra=tuned(1e-4, 0.3, log=True, zero=True),
    )  # fmt: skip
    batch: int = Field(
        32, ge=1, description="users per step, ≥ 1", json_schema_extra=tuned_among(16, 32, 64)
    )
    min_support: int = Field(15, ge=0, description="smallest size of a redrawn support, ≥ 0")
    max_support: int = Field(25, ge=1, description="largest size of a redrawn support, ≥ 1")
    epochs: int = Field(100, ge=1, description="maximum number of epochs, ≥ 1")
    patience: int = Field(30, ge=1, description="epochs without improvement before stopping, ≥ 1")
    validate_every: int = Field(2, ge=1, description="epochs between two validations, ≥ 1")
    members: int = Field(
        1, ge=1, le=32, description="networks whose predictions are averaged, 1 … 32"
    )
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


class FiLMParameters(TrainingParameters):
    """Parameters of the modulated network, and of its training."""

    dim: int = Field(
        16, ge=1, le=1024, description="width of an embedding, 1 … 1024",
        json_schema_extra=tuned_among(8, 16, 32),
    )  # fmt: skip
    hidden: tuple[int, int, int] = Field(
        (64, 32, 16), description="widths of the three hidden layers, each ≥ 1"
    )
    context: int = Field(
        32, ge=1, description="width of a user's context, ≥ 1",
        json_schema_extra=tuned_among(16, 32, 64),
    )  # fmt: skip
    pooling: Literal["mean", "attention"] = Field(
        "attention", description="how the support becomes a context: mean or attention",
        json_schema_extra=tuned_among("mean", "attention"),
    )  # fmt: skip
    evidence: bool = Field(True, description="whether others' ratings of an item are an input")
    item_dropout: float = Field(
        0.95, ge=0, le=1, description="fraction of item embeddings dropped in training, [0, 1]",
        json_schema_extra=tuned(0.5, 1.0),
    )  # fmt: skip

    @field_validator("hidden")
    @classmethod
    def _positive(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        if min(value) < 1:
            raise ValueError("each width must be at least 1")
        return value


class ModulatedParameters(FiLMParameters):
    """And the formula."""

    formula: str = Field(FOUND, description="the formula of each position, as text or by name")

    @field_validator("formula")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            return str(Formula.parse(value))
        except FormatError as error:
            raise ValueError(f"{error.message}; {error.remedy}") from None
