"""AutoBLM's progressive greedy search: good structures grow by two blocks at a time.

For each size, ``rounds`` times: draw candidates from the best structures of the size before, filter
them, let the predictor rank them, train the best few. AutoBLM spends 32 rounds per size and stops
at 16 blocks. Here the way up ends when two sizes in a row bring nothing better, and begins again
from below with what has been learned, until the budget ends.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TypeVar

import numpy as np

from parsimony.run.seeds import rng
from parsimony.search.candidates import History, propose
from parsimony.search.settings import SearchSettings
from parsimony.search.space import Space
from parsimony.search.trial import Proposal

__all__ = ["greedy"]

S = TypeVar("S")

_PATIENCE = 2  # sizes without a better structure


def greedy(
    space: Space[S], settings: SearchSettings, seed: int
) -> Generator[list[Proposal[S]], list[float], None]:
    """Yield rounds of proposals, receive their figures."""
    history = History(space)
    first = space.start()
    proposals = [Proposal(s, k, "start") for s, k in zip(first, space.keys(first), strict=True)]
    history.add(proposals, (yield proposals))
    lap = 0
    while True:
        before = len(history.scores)
        dull = 0
        for size in _sizes(space, first, seed):
            parents = history.best(settings.parents, size)
            record = max(history.scores)
            for number in range(settings.rounds if parents else 0):
                random = rng(seed, "greedy", lap, size, number)
                one = partial(_grown, space, parents, random)
                proposals = propose(history, one, settings, random)
                if not proposals:
                    break
                history.add(proposals, (yield proposals))
            if parents:
                dull = dull + 1 if max(history.scores) <= record else 0
            if dull == _PATIENCE:
                break
        lap += 1
        if len(history.scores) == before:
            return  # nothing new can be grown


def _grown(space: Space[S], parents: list[S], random: np.random.Generator) -> S:
    return space.grow(parents[random.integers(len(parents))], random)


def _sizes(space: Space[S], first: list[S], seed: int) -> list[int]:
    """The sizes on the way up, found by growing."""
    random = rng(seed, "greedy sizes")
    structure = min(first, key=space.size)
    sizes = [space.size(structure)]
    while space.size(structure := space.grow(structure, random)) > sizes[-1]:
        sizes.append(space.size(structure))
    return sizes
