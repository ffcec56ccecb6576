"""RED-GNN: reasoning with relational digraphs (docs/methods/redgnn.md).

What differs from the released code, and why: unreached entities and the partition sum are handled
in closed form (exact); a NaN stops the training instead of being replaced by a random number;
entities that two queries of a batch share state for are computed once, so that with dropout they
share a mask; repeated (head, relation) pairs of a shard are propagated once.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar, Literal

from pydantic import Field

from parsimony import base
from parsimony.graph import KnowledgeGraph
from parsimony.link.reasoning.presets import redgnn_preset
from parsimony.link.reasoning.reasoner import Reasoner


class ReasonerParameters(base.Parameters):
    """Parameters that RED-GNN and AdaProp share; symbols of docs/methods/redgnn.md in brackets."""

    dim: int = Field(48, ge=1, le=512, description="state dimension (d), 1 … 512")
    attention_dim: int = Field(5, ge=1, le=256, description="attention dimension (a), 1 … 256")
    n_layers: int | None = Field(
        None, ge=1, le=12, description="steps (L), 1 … 12; chosen by the graph where left out"
    )
    activation: Literal["identity", "relu", "tanh"] = Field(
        "relu", description="identity, relu or tanh"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout rate in [0, 1)")
    lr: float = Field(0.003, gt=0, description="learning rate of Adam, > 0")
    decay: float = Field(0.99, gt=0, le=1, description="learning-rate factor an epoch, in (0, 1]")
    weight_decay: float = Field(1e-4, ge=0, description="L2 weight (λ), ≥ 0")
    batch: int = Field(20, ge=1, description="training queries a step, ≥ 1")
    eval_batch: int = Field(50, ge=1, description="queries a scoring batch, ≥ 1")
    epochs: int = Field(30, ge=1, description="most epochs, ≥ 1")
    patience: int = Field(10, ge=1, description="epochs without improvement before stopping, ≥ 1")
    fact_ratio: float = Field(
        0.75, gt=0, lt=1, description="share of train walked in an epoch, the rest asked; (0, 1)"
    )
    remove_one_hop: bool = Field(
        False, description="do not walk facts that join the ends of a training query"
    )
    mask_answers: bool = Field(
        False, description="leave a query's other known answers out of the loss's partition sum"
    )
    average: float = Field(
        0.0, ge=0, lt=1, description="running average of the weights (β a step), [0, 1); 0: none"
    )
    relative: bool = Field(
        False, description="vectors of their own for edges of the asked relation and its inverse: "
        "for relations that training hardly asks",
    )
    unreached: Literal["zero", "below"] = Field(
        "zero", description="rank of unreached entities: score zero (published) or below all"
    )
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")
    threads: int = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=64,
        description="shards a batch, one thread each",
    )  # fmt: skip


class RedGNN(Reasoner):
    """RED-GNN: attention over the relational digraph of every query, all answers at once."""

    method: ClassVar[str] = "redgnn"
    Parameters: ClassVar[type[base.Parameters]] = ReasonerParameters

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Published parameters of a registered dataset, ours where they differ, or nothing."""
        return redgnn_preset(name)

    def _top_k(self, graph: KnowledgeGraph) -> int | None:
        return None
