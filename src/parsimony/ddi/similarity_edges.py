"""k-nearest-neighbour edges by structure, so that a drug without graph edges is still reached."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import tanimoto
from parsimony.ddi.grounds import ALIKE

#: Relations by similarity: below .3, .3 to .5, .5 to .7, .7 and more.
LIMITS = (ALIKE, 0.5, 0.7)


def similarity_edges(
    fingerprints: npt.NDArray[np.uint8], k: int, least: float = 0.0
) -> tuple[npt.NDArray[np.int32], int]:
    """Facts (drug, kind, similar drug) to the ``k`` most similar drugs of each, each pair once.

    Pairs of a similarity below ``least`` are left out.

    Returns
    -------
    triples, kinds
        The kind counts from 0, by :data:`LIMITS`; ``kinds`` says how many there are.
    """
    if not k:
        return np.empty((0, 3), np.int32), 0
    similar = tanimoto(fingerprints, fingerprints)
    np.fill_diagonal(similar, 0)
    near = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    drug = np.repeat(np.arange(len(similar)), near.shape[1])
    other = near.ravel()
    kept = (similar[drug, other] > 0) & (similar[drug, other] >= least)
    low, high = np.minimum(drug, other)[kept], np.maximum(drug, other)[kept]
    pair = np.unique(np.stack([low, high], 1), axis=0)
    kind = np.digitize(similar[pair[:, 0], pair[:, 1]], LIMITS)
    return np.stack([pair[:, 0], kind, pair[:, 1]], 1).astype(np.int32), len(LIMITS) + 1
