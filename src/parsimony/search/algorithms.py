"""The search algorithms by name.

An algorithm is a generator: it yields a round of proposals and is sent their figures. It knows
neither budget nor engine, and its random numbers depend on the seed alone; so a search that is
resumed proposes the same structures again, and the store returns those that were measured.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from parsimony.errors import UnknownParameter, suggest
from parsimony.search.evolution import evolution
from parsimony.search.exhaustive import exhaustive
from parsimony.search.greedy import greedy
from parsimony.search.random_search import random_search
from parsimony.search.supernet import supernet

__all__ = ["ALGORITHMS", "Algorithm", "resolve_algorithm"]

Algorithm = Callable[..., Generator[list[Any], list[float], None]]

ALGORITHMS: dict[str, Algorithm] = {
    "greedy": greedy,
    "evolution": evolution,
    "random": random_search,
    "exhaustive": exhaustive,
    "supernet": supernet,
}


def resolve_algorithm(name: str) -> Algorithm:
    """Return the algorithm of a name.

    Raises
    ------
    UnknownParameter
        No such algorithm; names the nearest.
    """
    if name not in ALGORITHMS:
        raise UnknownParameter(
            f"unknown algorithm {name!r}",
            remedy=suggest(name, ALGORITHMS) or f"algorithms: {', '.join(ALGORITHMS)}",
        )
    return ALGORITHMS[name]
