"""AdaProp: RED-GNN with a learned sampler of newly reached nodes (docs/methods/adaprop.md).

What differs from the released code, and why: the inductive sampler gets its straight-through
gradient (there it had none); no N-vectors a layer, the top-K is over new nodes
alone; a step without new nodes is no error. Nodes with equal states share one row, so their
straight-through factors share one gradient, the mean over the kept ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from parsimony.base import constructor, tuned, tuned_among
from parsimony.graph import KnowledgeGraph
from parsimony.link.reasoning.parameters import ReasonerParameters
from parsimony.link.reasoning.presets import adaprop_preset
from parsimony.link.reasoning.reasoner import Reasoner

__all__ = ["AdaProp"]


class AdaPropParameters(ReasonerParameters):
    """RED-GNN's parameters and the sampler's."""

    top_k: int = Field(
        200,
        ge=1,
        le=2**31 - 1,
        description="newly reached nodes kept per query and step (K), ≥ 1",
        json_schema_extra=tuned_among(50, 100, 200, 500),
    )
    fact_ratio: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="fraction of training facts used as graph edges each epoch; the rest are "
        "training queries; (0, 1)",
        json_schema_extra=tuned(0.6, 0.95),
    )


class AdaProp(Reasoner[AdaPropParameters]):
    """AdaProp: adaptive propagation, keeping the K most promising new entities per step."""

    method: ClassVar[str] = "adaprop"
    paper: ClassVar[str] = "Zhang et al., KDD 2023"
    Parameters = AdaPropParameters
    __init__ = constructor(AdaPropParameters)

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Published parameters of a registered dataset, ours where they differ, or nothing."""
        return adaprop_preset(name)

    def _top_k(self, graph: KnowledgeGraph) -> int | None:
        return self.resolved_.top_k
