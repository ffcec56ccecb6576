"""The shape of a reasoner, and what its passes count."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Architecture:
    """What a forward pass needs to know besides the weights."""

    n_relations: int
    dim: int
    attention_dim: int
    n_layers: int
    activation: str = "relu"
    dropout: float = 0.0
    top_k: int | None = None  # AdaProp's K; None keeps every node (RED-GNN)
    relative: bool = False  # see kernels/redgnn/relative.py
    mix_depths: bool = False  # see readout.py
    from_message: bool = False  # AdaProp's logits come from messages: see criteria.py
    mix_criteria: bool = False  # and two other criteria: see criteria.py


@dataclass
class Counts:
    """What a pass did, for the cost report and the benchmarks."""

    flops: float = 0.0
    rows: int = 0
    nodes: int = 0
    edges: int = 0
    edges_visited: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
