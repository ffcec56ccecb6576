"""What the atoms of a molecule add to a linear function of its embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.chem.graphs import MoleculeGraphs
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch

__all__ = ["embedding_shares"]


@torch.no_grad()
def embedding_shares(
    encoder: GIN,
    graphs: MoleculeGraphs,
    moments: npt.NDArray[np.floating[Any]],
    bound: float,
    direction: npt.NDArray[np.floating[Any]],
) -> list[npt.NDArray[np.float64]]:
    """Split ⟨direction, e⟩ among the atoms, e being a molecule's standardised embedding.

    As an embedding is the mean of the atoms' last states, an atom adds ⟨direction, (h − μ)/σ⟩/n. A
    coordinate of e that is cut off at the bound is no mean any longer: it is on no atom.

    Parameters
    ----------
    encoder
        In evaluation mode.
    graphs
    moments : (2, d)
        Mean μ and standard deviation σ of the embeddings.
    bound
        At which a coordinate of e is cut off.
    direction : (d,)

    Returns
    -------
    list of arrays, shape (n_atoms,)
        Of each molecule, in the order of its atoms.
    """
    states = encoder.states(MoleculeBatch(graphs)).numpy().astype(np.float64)
    parts = (states - moments[0]) / moments[1]
    first, sizes = graphs.atoms[:-1], np.diff(graphs.atoms)
    mean = np.add.reduceat(parts, first, axis=0) / sizes[:, None]
    inside = (np.abs(mean) < bound) * direction
    shares = (parts * np.repeat(inside, sizes, axis=0)).sum(1) / np.repeat(sizes, sizes)
    return np.split(shares, graphs.atoms[1:-1])
