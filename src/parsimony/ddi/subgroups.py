"""Subgroups of pairs by how similar their new drugs are to drugs with known interactions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import tanimoto
from parsimony.ddi.task import DDITask
from parsimony.metrics.subgroups import buckets


def similarity_subgroups(
    task: DDITask, split: str, fingerprints: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the subgroups of a split's pairs as masks (n,), by name; none where no drug is new.

    The similarity is the Tanimoto of a new drug to the nearest one that has training interactions;
    where both drugs are new, of the one that is less similar.
    """
    pairs = task.targets(split).pairs
    new = ~task.trained[pairs]
    if not new.any():
        return {}
    drugs = np.unique(pairs[new])
    nearest = np.ones(task.data.n_drugs, np.float32)
    nearest[drugs] = tanimoto(fingerprints[drugs], fingerprints[task.trained]).max(1, initial=0)
    similar = np.where(new.any(1), np.where(new, nearest[pairs], 1).min(1), -1)
    return buckets("nearest known drug {} similar", similar, (0, 0.3, 0.5, 0.7))
