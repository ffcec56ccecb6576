"""Search over the knowledge space: spaces, algorithms, trials, and the way into every search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.search.loop import SearchResult, search
    from parsimony.search.request import SearchRequest
    from parsimony.search.run import run_search
    from parsimony.search.settings import Budget, Rung, SearchSettings
    from parsimony.search.space import Space
    from parsimony.search.symbol_space import BilinearSpace
    from parsimony.search.trial import Measured, Trial, TrialResult
    from parsimony.search.trials import TrialStore
    from parsimony.search.tune import TuneRequest, run_tune

__all__ = [
    "BilinearSpace",
    "Budget",
    "Measured",
    "Rung",
    "SearchRequest",
    "SearchResult",
    "SearchSettings",
    "Space",
    "Trial",
    "TrialResult",
    "TrialStore",
    "TuneRequest",
    "run_search",
    "run_tune",
    "search",
]

__getattr__ = lazy(
    __name__,
    {
        "BilinearSpace": "symbol_space",
        "Budget": "settings",
        "Measured": "trial",
        "Rung": "settings",
        "SearchRequest": "request",
        "SearchResult": "loop",
        "SearchSettings": "settings",
        "Space": "space",
        "Trial": "trial",
        "TrialResult": "trial",
        "TrialStore": "trials",
        "TuneRequest": "tune",
        "run_search": "run",
        "run_tune": "tune",
        "search": "loop",
    },
)
