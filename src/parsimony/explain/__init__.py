"""Why an answer gets its score: one Explanation for all models, and what draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.explain.explanation import (
        EvidenceEdge,
        Explanation,
        Faithfulness,
        Likeness,
        Path,
        Step,
    )

__all__ = [
    "EvidenceEdge",
    "Explanation",
    "Faithfulness",
    "Likeness",
    "Path",
    "Step",
]

__getattr__ = lazy(
    __name__,
    {
        "EvidenceEdge": "explanation",
        "Explanation": "explanation",
        "Faithfulness": "explanation",
        "Likeness": "explanation",
        "Path": "explanation",
        "Step": "explanation",
    },
)
