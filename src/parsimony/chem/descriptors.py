"""Features of molecules by RDKit: counts of Morgan fragments and descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.cache import cached
from parsimony.chem.fingerprints import RADIUS
from parsimony.chem.smiles import molecule_of, require_forms

__all__ = ["DESCRIPTORS", "MoleculeFeatures", "molecule_features"]

N_COUNTS = 2048
DESCRIPTORS = (
    "logP (Crippen)", "molar refractivity", "polar surface", "molecular weight", "H-bond acceptors",
    "H-bond donors", "rotatable bonds", "aromatic rings", "rings", "share of sp3 carbons",
    "heavy atoms", "heteroatoms", "aliphatic rings", "surface (Labute)", "formal charge",
    *(f"surface by logP {i + 1}" for i in range(12)),
    *(f"surface by refractivity {i + 1}" for i in range(10)),
    *(f"surface by partial charge {i + 1}" for i in range(14)),
    *(f"molecular quantum number {i + 1}" for i in range(42)),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class MoleculeFeatures:
    """Features of molecules.

    Attributes
    ----------
    counts : uint8 array, shape (n, 2048)
        Counts of Morgan fragments of radius 2, folded; at most 255.
    descriptors : float32 array, shape (n, 93)
        Those of ``DESCRIPTORS``, as sign(x) log(1 + |x|).
    """

    counts: npt.NDArray[np.uint8]
    descriptors: npt.NDArray[np.float32]

    def __len__(self) -> int:
        """The number of molecules."""
        return len(self.counts)


def molecule_features(smiles: Sequence[str]) -> MoleculeFeatures:
    """Compute the features of molecules; they are cached.

    Raises
    ------
    FormatError
        A SMILES that cannot be read.
    MissingExtra
        RDKit is not installed.
    """
    forms = require_forms(smiles)
    kept = cached("features", 3, forms, lambda: _compute(forms), radius=RADIUS, counts=N_COUNTS)
    counts = np.zeros((len(forms), N_COUNTS), np.uint8)
    counts[kept["molecule"], kept["fragment"]] = kept["count"]
    return MoleculeFeatures(counts, kept["descriptors"])


def _compute(forms: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The descriptors, and the counts that are not 0."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.Chem import rdMolDescriptors as of

    generator: Any = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=N_COUNTS)
    counts = np.zeros((len(forms), N_COUNTS), np.uint8)
    values = np.zeros((len(forms), len(DESCRIPTORS)))
    with rdBase.BlockLogs():
        for i, form in enumerate(forms):
            molecule = molecule_of(form)
            counts[i] = np.minimum(generator.GetCountFingerprintAsNumPy(molecule), 255)
            values[i] = (
                *of.CalcCrippenDescriptors(molecule), of.CalcTPSA(molecule),
                of._CalcMolWt(molecule), of.CalcNumHBA(molecule), of.CalcNumHBD(molecule),
                of.CalcNumRotatableBonds(molecule), of.CalcNumAromaticRings(molecule),
                of.CalcNumRings(molecule), of.CalcFractionCSP3(molecule),
                molecule.GetNumHeavyAtoms(), of.CalcNumHeteroatoms(molecule),
                of.CalcNumAliphaticRings(molecule), of.CalcLabuteASA(molecule),
                Chem.GetFormalCharge(molecule), *of.SlogP_VSA_(molecule), *of.SMR_VSA_(molecule),
                *of.PEOE_VSA_(molecule), *of.MQNs_(molecule),
            )  # fmt: skip
    values = np.nan_to_num(np.sign(values) * np.log1p(np.abs(values)))
    at, fragment = np.nonzero(counts)
    return {
        "molecule": at.astype(np.int32), "fragment": fragment.astype(np.uint16),
        "count": counts[at, fragment], "descriptors": values.astype(np.float32),
    }  # fmt: skip
