"""The way into every search: what ``parsimony search`` does."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from parsimony.base import Estimator
from parsimony.errors import UnknownParameter, UsageError, suggest
from parsimony.problems import kind_of, problem, require_kind
from parsimony.search.request import SearchRequest
from parsimony.search.structure_search import StructureSearch

__all__ = ["SPACES", "resolve_space", "run_search", "space_for"]

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


def space_for(data: str, space: str | None = None, task: str | None = None) -> str:
    """The space asked for, or the one of the kind of problem that the data are of.

    Raises
    ------
    UnknownParameter
        No such space or kind.
    UsageError
        Data of another kind than the space, of a kind without a space, or of no certain kind.
    """
    if space is not None:
        require_kind(resolve_space(space).Method.kind, data, f"search --space {space}", task)
        return space
    kind = problem(task).kind if task is not None else kind_of(data) or "link"
    found = next((name for name in SPACES if resolve_space(name).Method.kind == kind), None)
    if found is None:
        raise UsageError(
            f"there is no search for {problem(kind).noun}",
            remedy="give a graph of facts or a table of ratings",
            where=data,
        )
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
