"""Random search: valid structures of new orbits, no predictor; the others' baseline."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from parsimony.run.seeds import rng
from parsimony.search.candidates import History, draw
from parsimony.search.settings import SearchSettings
from parsimony.search.space import Space
from parsimony.search.trial import Proposal

__all__ = ["random_search"]

S = TypeVar("S")


def random_search(
    space: Space[S], settings: SearchSettings, seed: int
) -> Generator[list[Proposal[S]], list[float], None]:
    """Yield rounds of proposals, receive their figures."""
    history = History(space)
    first = space.start()
    proposals = [Proposal(s, k, "start") for s, k in zip(first, space.keys(first), strict=True)]
    random = rng(seed, "random search")
    while proposals:
        history.add(proposals, (yield proposals))
        found, keys = draw(space, lambda: space.sample(random), settings.per_round, history.seen)
        proposals = [Proposal(s, k, "chance") for s, k in zip(found, keys, strict=True)]
