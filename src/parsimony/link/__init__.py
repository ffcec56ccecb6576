"""Link prediction: from a graph of facts to answers with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.link.data import LinkData
    from parsimony.link.embeddings.bilinear import Analogy, Bilinear, ComplEx, DistMult, SimplE
    from parsimony.link.embeddings.geometric import RotatE, TransE
    from parsimony.link.estimator import LinkEstimator
    from parsimony.link.loading import load
    from parsimony.link.reasoning.adaprop import AdaProp
    from parsimony.link.reasoning.redgnn import RedGNN
    from parsimony.link.rules.method import RuleReasoner, apply_rules
    from parsimony.link.task import LinkTask

__all__ = [
    "AdaProp",
    "Analogy",
    "Bilinear",
    "ComplEx",
    "DistMult",
    "LinkData",
    "LinkEstimator",
    "LinkTask",
    "RedGNN",
    "RotatE",
    "RuleReasoner",
    "SimplE",
    "TransE",
    "apply_rules",
    "load",
]

__getattr__ = lazy(
    __name__,
    {
        "AdaProp": "reasoning.adaprop",
        "Analogy": "embeddings.bilinear",
        "Bilinear": "embeddings.bilinear",
        "ComplEx": "embeddings.bilinear",
        "DistMult": "embeddings.bilinear",
        "LinkData": "data",
        "LinkEstimator": "estimator",
        "LinkTask": "task",
        "RedGNN": "reasoning.redgnn",
        "RotatE": "embeddings.geometric",
        "RuleReasoner": "rules.method",
        "SimplE": "embeddings.bilinear",
        "TransE": "embeddings.geometric",
        "apply_rules": "rules.method",
        "load": "loading",
    },
)
