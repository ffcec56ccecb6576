"""RED-GNN: reasoning with relational digraphs (docs/methods/redgnn.md).

What differs from the released code, and why: unreached entities and the partition sum are handled
in closed form (exact); a NaN stops the training instead of being replaced by a random number;
entities that two queries of a batch share state for are computed once, so that with dropout they
share a mask; repeated (head, relation) pairs of a shard are propagated once.
"""

from __future__ import annotations

from typing import Any, ClassVar

from parsimony.base import constructor
from parsimony.link.reasoning.parameters import ReasonerParameters
from parsimony.link.reasoning.presets import redgnn_preset
from parsimony.link.reasoning.reasoner import Reasoner

__all__ = ["RedGNN"]


class RedGNN(Reasoner[ReasonerParameters]):
    """RED-GNN: attention over the relational digraph of every query, all answers at once."""

    method: ClassVar[str] = "redgnn"
    paper: ClassVar[str] = "Zhang and Yao, WWW 2022"
    Parameters = ReasonerParameters
    __init__ = constructor(ReasonerParameters)

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Published parameters of a registered dataset, ours where they differ, or nothing."""
        return redgnn_preset(name)
