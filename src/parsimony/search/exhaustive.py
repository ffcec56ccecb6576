"""Exhaustive search: every canonical structure up to a size, smallest first."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import TypeVar

from parsimony.search.settings import SearchSettings
from parsimony.search.space import Space
from parsimony.search.trial import Proposal

__all__ = ["exhaustive"]

S = TypeVar("S")


def exhaustive(
    space: Space[S], settings: SearchSettings, seed: int
) -> Generator[list[Proposal[S]], list[float], None]:
    """Yield rounds of proposals in the order of the enumeration."""
    first = space.start()
    keys = space.keys(first)
    yield [Proposal(s, k, "start") for s, k in zip(first, keys, strict=True)]
    seen = set(keys)
    everything = space.enumerate(settings.max_size or space.max_size)
    while structures := list(islice(everything, settings.per_round)):
        keys = space.keys(structures)
        fresh = [
            Proposal(s, k, "order") for s, k in zip(structures, keys, strict=True) if k not in seen
        ]
        if fresh:
            yield fresh
