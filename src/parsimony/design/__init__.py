"""Search over the knowledge space: spaces, algorithms, and the ledger of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.design.bilinear import BilinearSpace
    from parsimony.design.ledger import TrialLedger
    from parsimony.design.searching import SearchResult, search
    from parsimony.design.settings import Budget, Rung, SearchSettings
    from parsimony.design.space import Space
    from parsimony.design.trial import Measured, Trial, TrialResult

__all__ = [
    "BilinearSpace",
    "Budget",
    "Measured",
    "Rung",
    "SearchResult",
    "SearchSettings",
    "Space",
    "Trial",
    "TrialLedger",
    "TrialResult",
    "search",
]

__getattr__ = lazy(
    __name__,
    {
        "BilinearSpace": "bilinear",
        "Budget": "settings",
        "Measured": "trial",
        "Rung": "settings",
        "SearchResult": "searching",
        "SearchSettings": "settings",
        "Space": "space",
        "Trial": "trial",
        "TrialLedger": "ledger",
        "TrialResult": "trial",
        "search": "searching",
    },
)
