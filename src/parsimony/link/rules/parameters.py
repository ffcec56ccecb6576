"""The parameters of method "rules"."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field

from parsimony import base
from parsimony.base import tuned, tuned_among

__all__ = ["RuleReasonerParameters"]


class RuleReasonerParameters(base.Parameters):
    """Parameters of rule mining and of answering by rules."""

    max_length: int | None = Field(
        None, ge=1, le=4, description="most body atoms, 1 … 4; chosen by the graph where left out",
        json_schema_extra=tuned_among(None, 2, 3),
    )  # fmt: skip
    min_support: int = Field(
        3, ge=1, description="facts that a rule must explain at least, ≥ 1",
        json_schema_extra=tuned(1, 30, log=True),
    )  # fmt: skip
    min_confidence: float = Field(
        0.001, ge=0, le=1, description="least confidence, in [0, 1]",
        json_schema_extra=tuned(1e-3, 0.3, log=True, zero=True),
    )  # fmt: skip
    per_relation: int = Field(
        2000, ge=1, description="most rules of a length kept per relation, ≥ 1"
    )
    constants: bool | None = Field(
        None, description="use rules about an entity; selected on validation where left out"
    )
    aggregation: Literal["max", "noisy-or", "clusters"] | None = Field(
        None, description="how rules are combined; selected per relation where left out"
    )
    threshold: float | None = Field(
        None, gt=0, le=1, description="overlap of the pairs of rules of one cluster, in (0, 1]; "
        "selected where left out",
    )  # fmt: skip
    smoothing: float | None = Field(
        None, ge=0, description="wrong pairs added to each rule; selected on validation if left out"
    )
    max_rules: int | None = Field(
        None, ge=1, description="most rules used per relation; selected where left out"
    )
    learn_weights: bool | None = Field(
        None, description="add weights of rules that are learned from training facts; selected "
        "with the aggregation on validation where left out",
    )  # fmt: skip
    small: Literal["knee"] | Annotated[int, Ge(1)] | None = Field(
        None, description="a small book by a linear program: most rules, ≥ 1, or 'knee', as few as "
        "keep 95 % of the validation MRR; all rules where left out",
    )  # fmt: skip
    unreached: Literal["frequency", "zero", "below"] = Field(
        "frequency", description="entities that no rule reaches are last: by how often they answer "
        "the relation, or all alike, with score 0 or -inf",
    )  # fmt: skip
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, description="seed of the bootstrap, ≥ 0")
