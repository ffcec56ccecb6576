"""What a fingerprint's bits add to a score, spread over the atoms that set them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import RADIUS
from parsimony.chem.smiles import molecule_of

__all__ = ["atom_shares", "environments"]

FloatArray = npt.NDArray[np.float64]


def environments(form: str, n_bits: int) -> dict[int, list[list[int]]]:
    """The fragments that set each bit of a molecule's Morgan fingerprint, by their atoms.

    Parameters
    ----------
    form
        Canonical SMILES; atoms are numbered in its order.
    n_bits
        Length of the fingerprint.

    Returns
    -------
    dict
        Bit → for every fragment that sets it, the atoms within its radius of its centre.
    """
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    molecule = molecule_of(form)
    generator: Any = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=n_bits)
    told: Any = rdFingerprintGenerator.AdditionalOutput()
    told.AllocateBitInfoMap()
    generator.GetFingerprint(molecule, additionalOutput=told)
    apart = Chem.GetDistanceMatrix(molecule)
    return {
        int(bit): [np.flatnonzero(apart[centre] <= radius).tolist() for centre, radius in places]
        for bit, places in told.GetBitInfoMap().items()
    }


def atom_shares(form: str, bits: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Spread what bits add to a score over a molecule's atoms.

    A bit's share is split evenly between the fragments that set it, a fragment's evenly between its
    atoms; so the atoms' shares have the same sum as those of the bits that the molecule sets.

    Parameters
    ----------
    form
        Canonical SMILES.
    bits : (n_bits,)
        What each bit adds.

    Returns
    -------
    array, shape (n_atoms,)
        In the order of the atoms of ``form``.
    """
    found = np.zeros(molecule_of(form).GetNumAtoms())
    for bit, fragments in environments(form, len(bits)).items():
        for atoms in fragments:
            found[atoms] += float(bits[bit]) / (len(fragments) * len(atoms))
    return found
