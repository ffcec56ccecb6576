"""Analogues of an interaction: the nearest known ones, drugs replaced by similar drugs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import tanimoto
from parsimony.ddi.data import DDIData
from parsimony.ddi.grounds import ALIKE
from parsimony.run.steps import step_done

IntArray = npt.NDArray[np.int32]


class KnownInteraction(NamedTuple):
    """A known interaction (drug1, type, drug2), and how similar its drugs are to the pair's."""

    drug1: int
    kind: int
    drug2: int
    similarity: float


def nearest_analogues(
    fingerprints: npt.NDArray[np.uint8], facts: IntArray, u: int, t: int, v: int, most: int = 1
) -> list[KnownInteraction]:
    """Return the known interactions of type t whose drugs are most similar to (u, v).

    The similarity is the product of both Tanimoto similarities, 1 of a drug to itself; one below
    :data:`~parsimony.ddi.grounds.ALIKE` speaks for nothing. Interactions between u and v themselves
    are left out.
    """
    step_done()
    facts = facts[facts[:, 1] == t]
    first, second = facts[:, 0], facts[:, 2]
    like = tanimoto(fingerprints[[u, v]], fingerprints)
    like[like < ALIKE] = 0
    like[[0, 1], [u, v]] = 1
    both = like[0, first] * like[1, second]
    both[((first == u) | (first == v)) & ((second == u) | (second == v))] = 0
    best = np.argsort(-both, kind="stable")[:most]
    found = [(*facts[i].tolist(), float(both[i])) for i in best.tolist() if both[i] > 0]
    return [KnownInteraction(x, kind, y, similarity) for x, kind, y, similarity in found]


#: What is said where :func:`nearest_analogues` finds none.
NO_ANALOGUE = f"no drug alike {ALIKE} or more is known to do this"


def analogue_sentence(data: DDIData, u: int, v: int, found: KnownInteraction) -> str:
    """Say which drugs these resemble, and what is known of those."""
    pairs = ((found.drug1, u), (found.drug2, v))
    names = [data.label(drug) for drug, own in pairs if drug != own]
    text = data.sentence(found.drug1, found.kind, found.drug2)
    return f"most like {' and '.join(names)} ({found.similarity:.2f}): {text}"
