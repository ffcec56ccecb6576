"""The way into every search: what ``parsimony search`` does."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from parsimony.base import Estimator
from parsimony.errors import UnknownParameter, suggest
from parsimony.search.request import SearchRequest
from parsimony.search.structure_search import StructureSearch

__all__ = ["SPACES", "resolve_space", "run_search"]

#: space → the class that searches it
SPACES = {
    "bilinear": "parsimony.search.symbols:SymbolSearch",
    "modulation": "parsimony.search.formulas:FormulaSearch",
}


def resolve_space(space: str) -> type[StructureSearch[Any, Any]]:
    """Return the search of a space.

    Raises
    ------
    UnknownParameter
        No such space.
    """
    if space not in SPACES:
        raise UnknownParameter(
            f"unknown space {space!r}",
            remedy=suggest(space, SPACES) or f"spaces of this version: {', '.join(SPACES)}",
        )
    module, name = SPACES[space].split(":")
    found: type[StructureSearch[Any, Any]] = getattr(import_module(module), name)
    return found


def run_search(request: SearchRequest) -> tuple[Estimator[Any, Any], dict[str, Any]]:
    """Search a space, train the best structure to the end, and write the run folder.

    Returns and raises what :meth:`parsimony.search.structure_search.StructureSearch.run` does.

    Examples
    --------
    >>> from parsimony.search import Budget, SearchRequest, run_search  # doctest: +SKIP
    >>> request = SearchRequest("umls", out="runs/umls-search", budget=Budget(trials=30))
    >>> model, summary = run_search(request)  # doctest: +SKIP
    """
    return resolve_space(request.space)(request).run()
