"""AdaProp: RED-GNN with a learned sampler of newly reached nodes (docs/methods/adaprop.md).

What differs from the released code, and why: the inductive sampler gets its straight-through
gradient (there it had none); no N-vectors a layer, the top-K is over new nodes
alone; a step without new nodes is no error. Nodes with equal states share one row, so their
straight-through factors share one gradient, the mean over the kept ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from parsimony.base import constructor, tuned, tuned_among
from parsimony.link.reasoning.architecture import Architecture
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
    mix_criteria: bool = Field(
        False,
        description="prune new nodes by three criteria, mixed by a gate that the query relation "
        "sets: the learned one, their mean attention, and the relations of their edges",
    )
    prune_by: Literal["message"] | None = Field(
        None,
        description="what the learned criterion reads: message, of one dimension, so that pruned "
        "nodes need no state: faster where many are pruned, and the same model with activation "
        "identity; the new nodes' states where left out (published)",
    )
    mix_depths: bool = Field(
        False,
        description="read out every step's states, mixed by a gate that the query relation sets, "
        "instead of the last step's",
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

    def _architecture(self, n_layers: int) -> Architecture:
        p = self.resolved_
        return replace(
            super()._architecture(n_layers), top_k=p.top_k, mix_depths=p.mix_depths,
            from_message=p.prune_by == "message", mix_criteria=p.mix_criteria,
        )  # fmt: skip
