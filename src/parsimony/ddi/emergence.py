"""Emergence simulated anew every epoch: which training pairs are facts, which are asked.

A share of the training drugs plays the new ones (docs/methods/emergnn.md). In S1 pairs of two kept
drugs are facts, pairs with exactly one kept are asked, the rest is dropped; in S2 pairs of two new
drugs are asked and mixed ones dropped. In S0 a share of the pairs themselves is asked. So a pair
that is asked is never a fact of its own graph. As published the drugs are drawn with replacement,
so that 20 % are 18 % in truth; here they are drawn without by default.
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
    asked: npt.NDArray[np.int64]  # rows of the pairs that are training targets, ascending


def simulate_emergence(
    pairs: IntArray,
    setting: str,
    rng: np.random.Generator,
    *,
    share: float = 0.2,
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
    share
        Of the drugs (S1, S2) or of the pairs (S0).
    replace
        Draw drugs with replacement, as published.
    eligible
        Drugs that may play new ones; all that occur in ``pairs`` by default.

    Raises
    ------
    InvalidParameter
        A share outside (0, 1), or no such setting.
    """
    if not 0 < share < 1:
        raise InvalidParameter(f"share must lie between 0 and 1. Got {share}")
    if setting == "S0":
        order = rng.permutation(len(pairs))
        asked = np.sort(order[: round(share * len(pairs))])
        active = np.ones(len(pairs), np.uint8)
        active[asked] = 0
        return Emergence(active, asked)
    if setting not in ("S1", "S2"):
        raise InvalidParameter(f"setting must be 'S0', 'S1' or 'S2'. Got {setting!r}")
    drugs = np.unique(pairs[:, [0, 2]]) if eligible is None else np.unique(eligible)
    drawn = rng.choice(drugs, round(share * len(drugs)), replace=replace)
    new = np.isin(pairs[:, [0, 2]], drawn).sum(1)
    return Emergence((new == 0).astype(np.uint8), np.flatnonzero(new == int(setting[1])))
