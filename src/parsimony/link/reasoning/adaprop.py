"""AdaProp: RED-GNN with a learned sampler of newly reached nodes (docs/methods/adaprop.md).

What differs from the released code, and why: the inductive sampler gets its straight-through
gradient (there it had none); no N-vectors a layer, the top-K is over new nodes
alone; a step without new nodes is no error. Nodes with equal states share one row, so their
straight-through factors share one gradient, the mean over the kept ones.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from parsimony import base
from parsimony.graph import KnowledgeGraph
from parsimony.link.reasoning.presets import adaprop_preset
from parsimony.link.reasoning.reasoner import Reasoner
from parsimony.link.reasoning.redgnn import ReasonerParameters


class AdaPropParameters(ReasonerParameters):
    """RED-GNN's parameters and the sampler's."""

    top_k: int = Field(200, ge=1, description="newly reached nodes kept a query and step (K), ≥ 1")
    fact_ratio: float = Field(
        0.9, gt=0, lt=1, description="share of train walked in an epoch, the rest asked; (0, 1)"
    )


class AdaProp(Reasoner):
    """AdaProp: adaptive propagation, keeping the K most promising new entities a step."""

    method: ClassVar[str] = "adaprop"
    Parameters: ClassVar[type[base.Parameters]] = AdaPropParameters

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Published parameters of a registered dataset, ours where they differ, or nothing."""
        return adaprop_preset(name)

    def _top_k(self, graph: KnowledgeGraph) -> int | None:
        return int(self.resolved_.top_k)
