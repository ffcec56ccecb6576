"""Drawing new structures: valid, and of orbits that were not seen before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from parsimony.search.predictor import Predictor
from parsimony.search.settings import SearchSettings
from parsimony.search.space import Space
from parsimony.search.trial import Proposal

__all__ = ["History", "draw", "propose"]

S = TypeVar("S")

_BATCH = 64  # drawn at a time: the filter works on many at once
_PATIENCE = 20  # batches without a new structure before giving up


@dataclass
class History(Generic[S]):
    """What an algorithm knows: the measured structures in order, and all orbits it ever drew."""

    space: Space[S]
    structures: list[S] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, proposals: list[Proposal[S]], scores: list[float]) -> None:
        """Remember measurements."""
        self.structures += [p.structure for p in proposals]
        self.scores += scores
        self.seen |= {p.key for p in proposals}

    def best(self, n: int, size: int | None = None) -> list[S]:
        """Return the n best, of one size or of all; ties by age."""
        order = np.argsort(-np.array(self.scores), kind="stable").tolist()
        ranked = [self.structures[i] for i in order]
        return [s for s in ranked if size is None or self.space.size(s) == size][:n]


def draw(
    space: Space[S], one: Callable[[], S], n: int, seen: set[str]
) -> tuple[list[S], list[str]]:
    """Draw up to ``n`` valid structures of new orbits; fewer where hardly any is left.

    Returns
    -------
    structures, keys
    """
    found: dict[str, S] = {}
    dry = 0
    while len(found) < n and dry < _PATIENCE:
        batch = [one() for _ in range(_BATCH)]
        batch = [s for s, good in zip(batch, space.valid(batch), strict=True) if good]
        before = len(found)
        for structure, key in zip(batch, space.keys(batch), strict=True):
            if key not in seen and len(found) < n:
                found.setdefault(key, structure)
        dry = dry + 1 if len(found) == before else 0
    return list(found.values()), list(found)


def propose(
    history: History[S],
    one: Callable[[], S],
    settings: SearchSettings,
    random: np.random.Generator,
) -> list[Proposal[S]]:
    """Draw candidates and keep the most promising ones and a few by chance.

    What was chosen by chance tells later whether the predictor chose better.
    """
    space = history.space
    wanted = settings.candidates if settings.predictor != "none" else settings.per_round
    structures, keys = draw(space, one, wanted, history.seen)
    if not structures:
        return []
    if settings.predictor == "none":
        return [Proposal(s, k, "chance") for s, k in zip(structures, keys, strict=True)]
    predictor = Predictor(settings.predictor, seed=int(random.integers(2**31)))
    predictor.fit(space.features(history.structures), np.array(history.scores))
    expected = predictor.predict(space.features(structures))
    n = min(settings.per_round, len(structures))
    by_chance = min(round(settings.explore * n), n)
    order = np.argsort(-expected, kind="stable").tolist()
    chosen = order[: n - by_chance]
    rest = np.array(order[n - by_chance :], dtype=np.int64)
    lucky = random.permutation(rest)[:by_chance].tolist()
    return [
        Proposal(structures[i], keys[i], origin, float(expected[i]))
        for origin, members in (("predictor", chosen), ("chance", lucky))
        for i in members
    ]
