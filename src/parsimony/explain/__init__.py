"""Explanations of answers: one Explanation for all models, and its renderers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.explain.explanation import Explanation
    from parsimony.explain.parts import Analogue, EvidenceEdge, Faithfulness, Path, Step

__all__ = ["Analogue", "EvidenceEdge", "Explanation", "Faithfulness", "Path", "Step"]

__getattr__ = lazy(
    __name__,
    {
        "Analogue": "parts",
        "EvidenceEdge": "parts",
        "Explanation": "explanation",
        "Faithfulness": "parts",
        "Path": "parts",
        "Step": "parts",
    },
)
