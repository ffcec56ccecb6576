"""A part of a dataset: the facts among the entities that a random walk comes by.

A cheap stand-in for the whole (KGTuner, ACL 2022, section 4.2). A uniform sample of a fraction p of
the entities keeps p² of the facts and tears the graph apart; the densest core keeps many, but of
hubs only and of fewer relations. A walk stays connected and meets entities and relations about as
often as facts mention them; its seed gives another part.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.graph.vocabulary import Vocabulary
from parsimony.link.data import SPLITS, LinkData
from parsimony.run.seeds import rng

__all__ = ["walked_subgraph"]

_RESTART = 0.02  # per step: jump to an entity not seen yet, so that no corner holds the walk


def walked_subgraph(data: LinkData, fraction: float, *, seed: int = 0) -> LinkData:
    """Return the facts of all splits among a fraction of the entities.

    Parameters
    ----------
    data
        One graph; its relation vocabulary is kept whole.
    fraction
        In (0, 1]: of the entities that have training facts.
    seed
        Of the walk.

    Raises
    ------
    InvalidParameter
        A fraction outside (0, 1].
    EmptySplit
        No training or no validation fact lies within, though the whole has some.
    """
    if not 0 < fraction <= 1:
        raise InvalidParameter(f"a fraction of the entities must be in (0, 1]. Got {fraction}")
    kept = _walked(data.train, data.n_entities, fraction, rng(seed, "subgraph"))
    new = np.full(data.n_entities, -1, np.int32)
    new[kept] = np.arange(len(kept), dtype=np.int32)
    inside = {}
    for split in SPLITS:
        facts = data.triples(split)
        both = facts[(new[facts[:, 0]] >= 0) & (new[facts[:, 2]] >= 0)]
        inside[split] = np.stack([new[both[:, 0]], both[:, 1], new[both[:, 2]]], axis=1)
        if split != "test" and len(facts) and not len(both):
            raise EmptySplit(
                f"no {split} fact of {data.name} lies among {100 * fraction:g} % of its entities",
                remedy="take a larger fraction of the entities",
            )
    names = Vocabulary([data.entities.name(i) for i in kept.tolist()], data.entities.kind)
    return replace(
        data, entities=names, train=inside["train"], valid=inside["valid"], test=inside["test"],
        n_facts=None, entity_names=None, notes=(),
    )  # fmt: skip


def _walked(
    triples: npt.NDArray[np.int32], n_entities: int, fraction: float, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Entities of the walk, sorted; facts are walked in both directions."""
    ends = np.concatenate([triples[:, [0, 2]], triples[:, [2, 0]]]).astype(np.int64)
    ends = ends[np.argsort(ends[:, 0], kind="stable")]
    ptr = np.searchsorted(ends[:, 0], np.arange(n_entities + 1)).tolist()
    neighbour = ends[:, 1].tolist()
    starts = iter(random.permutation(np.unique(ends[:, 0])).tolist())
    wanted = math.ceil(fraction * len(np.unique(ends[:, 0])))
    seen = {here := next(starts)}
    while len(seen) < wanted:
        for leave, choice in random.random((1024, 2)).tolist():
            if leave < _RESTART:
                here = next(start for start in starts if start not in seen)
            else:
                here = neighbour[ptr[here] + int(choice * (ptr[here + 1] - ptr[here]))]
            seen.add(here)
            if len(seen) == wanted:
                break
    return np.array(sorted(seen), dtype=np.int64)
