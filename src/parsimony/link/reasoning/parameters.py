"""Parameters that RED-GNN and AdaProp share."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field

from parsimony import base
from parsimony.base import tuned, tuned_among
from parsimony.run.cost import usable_cores

__all__ = ["ReasonerParameters"]


class ReasonerParameters(base.Parameters):
    """Parameters that RED-GNN and AdaProp share; symbols of docs/methods/redgnn.md in brackets."""

    dim: int = Field(
        48, ge=1, le=512, description="state dimension (d), 1 … 512",
        json_schema_extra=tuned_among(16, 32, 48, 64),
    )  # fmt: skip
    attention_dim: int = Field(5, ge=1, le=256, description="attention dimension (a), 1 … 256")
    n_layers: int | None = Field(
        None, ge=1, le=12, description="steps (L), 1 … 12; chosen by the graph where left out",
        json_schema_extra=tuned(2, 5),
    )  # fmt: skip
    activation: Literal["identity", "relu", "tanh"] = Field(
        "relu", description="identity, relu or tanh",
        json_schema_extra=tuned_among("identity", "relu", "tanh"),
    )  # fmt: skip
    dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout rate in [0, 1)", json_schema_extra=tuned(0.0, 0.5)
    )
    lr: float = Field(
        0.004, gt=0, le=1e30, description="learning rate of Adam, positive",
        json_schema_extra=tuned(5e-4, 0.02, log=True),
    )  # fmt: skip
    decay: float | None = Field(
        None, gt=0, le=1,
        description="learning-rate decay per epoch, in (0, 1]; where left out the rate falls along "
        "half a cosine until epochs or time budget end",
    )  # fmt: skip
    weight_decay: float = Field(
        1e-4, ge=0, le=1e6, description="L2 weight (λ), 0 … 1e6",
        json_schema_extra=tuned(1e-6, 1e-3, log=True, zero=True),
    )  # fmt: skip
    batch: int = Field(
        20, ge=1, description="training queries per step, ≥ 1",
        json_schema_extra=tuned_among(10, 20, 50, 100),
    )  # fmt: skip
    eval_batch: int = Field(50, ge=1, description="queries per scoring batch, ≥ 1")
    epochs: int = Field(50, ge=1, description="most epochs, ≥ 1")
    queries_per_epoch: int | None = Field(
        None, ge=1,
        description="training queries that an epoch draws from its own, ≥ 1; all where left out. "
        "On large graphs fewer bring validation sooner",
    )  # fmt: skip
    patience: int = Field(15, ge=1, description="epochs without improvement before stopping, ≥ 1")
    fact_ratio: float = Field(
        0.75,
        gt=0,
        lt=1,
        description="fraction of training facts used as graph edges each epoch; the rest are "
        "training queries; (0, 1)",
        json_schema_extra=tuned(0.6, 0.95),
    )
    remove_one_hop: bool = Field(
        False, description="leave out edges that join the two ends of a training query"
    )
    mask_answers: bool = Field(
        True, description="leave a query's other known answers out of the loss's partition sum",
        json_schema_extra=tuned_among(False, True),
    )  # fmt: skip
    ema_decay: float = Field(
        0.99, ge=0, lt=1,
        description="decay per step of the moving average of the weights (β), [0, 1); 0: none",
        json_schema_extra=tuned_among(0.0, 0.9, 0.99),
    )  # fmt: skip
    relative: bool = Field(
        True,
        description="separate vectors for edges of the query relation and its inverse: for "
        "relations with few training queries",
        json_schema_extra=tuned_among(False, True),
    )
    unreached: Literal["frequency", "zero", "below"] = Field(
        "frequency", description="entities that no walk reaches: score zero (published), among "
        "them by how often they answer the relation, or all alike; or below all",
    )  # fmt: skip
    popularity: Literal["validation"] | Annotated[float, Ge(0), Le(1e6)] = Field(
        "validation", description="weight of log(1 + how often an entity answers the relation), "
        "added to its score, 0 … 1e6, or 'validation', where it is chosen",
    )  # fmt: skip
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")
    threads: int = Field(
        default_factory=lambda: min(usable_cores(), 8), ge=1, le=64,
        description="shards per batch, one thread each",
    )  # fmt: skip
