"""One training for many structures: a pool is ranked by shared weights, then measured best first.

ERAS and ColdNAS do this instead of training every candidate. Each space has its own shared training
(``one_shot``); a fraction of every round is chosen by chance, so that the trials themselves
tell whether the guesses were better.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import numpy as np

from parsimony.errors import InvalidParameter
from parsimony.run.seeds import rng
from parsimony.search.candidates import draw
from parsimony.search.settings import SearchSettings
from parsimony.search.space import OneShot, Space
from parsimony.search.trial import Proposal

__all__ = ["supernet"]

S = TypeVar("S")

_POOL = 400


def supernet(
    space: Space[S], settings: SearchSettings, seed: int, one_shot: OneShot[S] | None = None
) -> Generator[list[Proposal[S]], list[float], None]:
    """Yield rounds of proposals, receive their figures.

    Raises
    ------
    InvalidParameter
        The space has no shared training.
    """
    if one_shot is None:
        raise InvalidParameter(
            f"structures of the space {space.name} cannot be trained with shared weights",
            remedy="use another --algorithm",
        )
    first = space.start()
    keys = space.keys(first)
    yield [Proposal(s, k, "start") for s, k in zip(first, keys, strict=True)]
    random = rng(seed, "supernet")
    if settings.pool is None and getattr(one_shot, "ranks_all", False):
        known = set(keys)
        pool = [s for s in space.enumerate(space.max_size) if space.keys([s])[0] not in known]
        keys = space.keys(pool)
    else:
        n = settings.pool or _POOL
        pool, keys = draw(space, lambda: space.sample(random), n, set(keys))
    expected = one_shot(pool)
    order = np.argsort(-expected, kind="stable").tolist()
    while order:
        n = min(settings.per_round, len(order))
        by_chance = round(settings.explore * n)
        chosen, order = order[: n - by_chance], order[n - by_chance :]
        lucky = sorted(random.permutation(len(order))[:by_chance].tolist())
        round_ = [(i, "predictor") for i in chosen] + [(order[at], "chance") for at in lucky]
        order = [i for at, i in enumerate(order) if at not in set(lucky)]
        yield [Proposal(pool[i], keys[i], origin, float(expected[i])) for i, origin in round_]
