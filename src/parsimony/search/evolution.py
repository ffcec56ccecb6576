"""AutoBLM+'s evolutionary search: a small population, crossover, mutation, a predictor.

Children that the filter lets pass are ranked by the predictor, the best few are trained, and each
takes the place of the worst member if it is better.
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

__all__ = ["evolution"]

S = TypeVar("S")

_CROSSOVER = 0.5
_MUTATE_AFTER = 0.2  # of the children of two


def evolution(
    space: Space[S], settings: SearchSettings, seed: int
) -> Generator[list[Proposal[S]], list[float], None]:
    """Yield generations of proposals, receive their figures."""
    history = History(space)
    first = space.start()
    proposals = [Proposal(s, k, "start") for s, k in zip(first, space.keys(first), strict=True)]
    history.add(proposals, (yield proposals))
    generation = 0
    while proposals:
        generation += 1
        random = rng(seed, "evolution", generation)
        # The best of all that was measured: what replacing the worst, one by one, leaves.
        population = history.best(settings.population)
        child = partial(_child, space, population, random)
        proposals = propose(history, child, settings, random)
        if proposals:
            history.add(proposals, (yield proposals))


def _child(space: Space[S], population: list[S], random: np.random.Generator) -> S:
    if len(population) > 1 and random.random() < _CROSSOVER:
        i, j = random.permutation(len(population))[:2]
        mixed = space.crossover(population[i], population[j], random)
        return space.mutate(mixed, random) if random.random() < _MUTATE_AFTER else mixed
    return space.mutate(population[random.integers(len(population))], random)
