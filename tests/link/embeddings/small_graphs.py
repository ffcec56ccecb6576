"""A graph small enough to learn by heart in a test."""

from __future__ import annotations

import numpy as np

from parsimony.graph import Vocabulary
from parsimony.link.data import LinkData


def inverses(n=40, seed=0):
    """Two steps along a circle and back: each fact of "next" has its inverse in "last"."""
    rng = np.random.default_rng(seed)
    head = np.arange(n)
    steps = [(head + 1) % n, (head + 2) % n]
    rows = [np.stack([head, np.full(n, 0), tail], 1) for tail in steps]
    rows += [np.stack([tail, np.full(n, 1), head], 1) for tail in steps]
    facts = rng.permutation(np.concatenate(rows)).astype(np.int32)
    entities = Vocabulary([f"entity {i}" for i in range(n)])
    relations = Vocabulary(["next", "last"], "relation")
    return LinkData("inverses", entities, relations, *np.split(facts, [4 * n - 24, 4 * n - 12]))
