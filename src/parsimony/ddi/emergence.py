"""Emergence simulated anew in every epoch: which training pairs are facts, which are targets.

A fraction of the training drugs is treated as new (docs/methods/emergnn.md). In S1, pairs of two
known drugs are facts, pairs with exactly one new drug are targets, and the rest is dropped; in S2,
pairs of two new drugs are targets and mixed ones are dropped. In S0 a fraction of the pairs
themselves are targets. So no target is a fact of its own graph. As published, the drugs are drawn
with replacement, so that 20 % are really 18 %; here they are drawn without by default.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter

__all__ = ["Emergence", "simulate_emergence"]

IntArray = npt.NDArray[np.int32]


class Emergence(NamedTuple):
    """One epoch's division of the training pairs."""

    active: npt.NDArray[np.uint8]  # (n_pairs,) 1 where a pair is a fact of the graph
    targets: npt.NDArray[np.int64]  # rows of the pairs that are training targets, ascending


def simulate_emergence(
    pairs: IntArray,
    setting: str,
    rng: np.random.Generator,
    *,
    fraction: float = 0.2,
    replace: bool = False,
    eligible: IntArray | None = None,
) -> Emergence:
    """Draw an epoch's facts and targets.

    Parameters
    ----------
    pairs
        (n, 3) training rows (drug1, type, drug2).
    setting
        "S0", "S1" or "S2".
    rng
        Draws.
    fraction
        Of the drugs (S1, S2) or of the pairs (S0).
    replace
        Draw drugs with replacement, as published.
    eligible
        Drugs that may be treated as new; all that occur in ``pairs`` by default.

    Raises
    ------
    InvalidParameter
        A fraction outside (0, 1), or no such setting.
    """
    if not 0 < fraction < 1:
        raise InvalidParameter(f"fraction must lie between 0 and 1. Got {fraction}")
    if setting == "S0":
        order = rng.permutation(len(pairs))
        targets = np.sort(order[: max(round(fraction * len(pairs)), 1)])
        active = np.ones(len(pairs), np.uint8)
        active[targets] = 0
        return Emergence(active, targets)
    if setting not in ("S1", "S2"):
        raise InvalidParameter(f"setting must be 'S0', 'S1' or 'S2'. Got {setting!r}")
    drugs = np.unique(pairs[:, [0, 2]]) if eligible is None else np.unique(eligible)
    count = round(fraction * len(drugs))
    if not count:
        raise InvalidParameter(f"a fraction of {fraction} of {len(drugs)} drugs draws none")
    drawn = rng.choice(drugs, count, replace=replace)
    new = np.isin(pairs[:, [0, 2]], drawn).sum(1)
    return Emergence((new == 0).astype(np.uint8), np.flatnonzero(new == int(setting[1])))
