"""Search over the knowledge space: spaces, algorithms, and the ledger of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.search.loop import SearchResult, search
    from parsimony.search.settings import Budget, Rung, SearchSettings
    from parsimony.search.space import Space
    from parsimony.search.symbol_space import BilinearSpace
    from parsimony.search.trial import Measured, Trial, TrialResult
    from parsimony.search.trials import TrialLedger

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
        "BilinearSpace": "symbol_space",
        "Budget": "settings",
        "Measured": "trial",
        "Rung": "settings",
        "SearchResult": "loop",
        "SearchSettings": "settings",
        "Space": "space",
        "Trial": "trial",
        "TrialLedger": "trials",
        "TrialResult": "trial",
        "search": "loop",
    },
)
