"""A graph small enough to train on in a test, with something to learn."""

from __future__ import annotations

import numpy as np

from parsimony.graph import Vocabulary
from parsimony.link.data import LinkData

#: The dimensions that the kernels' tests compile.
TINY = {"dim": 8, "attention_dim": 3, "n_layers": 2, "threads": 1, "lr": 0.01}


def compositions(n_entities=40, seed=0, shares=(0.8, 0.1), name="compositions"):
    """A permutation, its inverse and its square; cut into train, valid, test by ``shares``."""
    rng = np.random.default_rng(seed)
    head = np.arange(n_entities)
    next_ = rng.permutation(n_entities)
    triples = np.concatenate(
        [
            np.stack([head, np.full_like(head, r), tail], 1)
            for r, tail in ((0, next_), (1, np.argsort(next_)), (2, next_[next_]))
        ]
    ).astype(np.int32)
    triples = rng.permutation(triples)
    cuts = np.cumsum([int(share * len(triples)) for share in shares])
    entities = Vocabulary([f"{name}{i}" for i in range(n_entities)])
    relations = Vocabulary(["next", "last", "next_but_one"], "relation")
    return LinkData(name, entities, relations, *np.split(triples, cuts))


def write_folder(data, path):
    """The same data as a dataset folder."""
    path.mkdir()
    for split in ("train", "valid", "test"):
        lines = [
            f"{data.entities.name(h)}\t{data.relations.name(r)}\t{data.entities.name(t)}\n"
            for h, r, t in getattr(data, split).tolist()
        ]
        (path / f"{split}.txt").write_text("".join(lines))
    for kind in ("entities", "relations"):
        names = getattr(data, kind).names
        (path / f"{kind}.txt").write_text("".join(f"{name}\n" for name in names))
    return path
