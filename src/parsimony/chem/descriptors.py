"""Features of molecules by RDKit: counts of Morgan fragments and descriptors."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import RADIUS
from parsimony.chem.smiles import molecule_of
from parsimony.datasets.archive import cache_folder
from parsimony.errors import InvalidParameter, MissingExtra
from parsimony.run.atomic import write_atomic

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
    InvalidParameter
        A SMILES that cannot be read.
    MissingExtra
        RDKit is not installed.
    """
    key = hashlib.sha256("\n".join([f"features 2 {RADIUS} {N_COUNTS}", *smiles]).encode())
    path = cache_folder() / "features" / f"{key.hexdigest()[:32]}.npz"
    try:
        with np.load(path, allow_pickle=False) as kept:
            found = MoleculeFeatures(kept["counts"], kept["descriptors"])
        if found.counts.shape == (len(smiles), N_COUNTS):
            return found
    except (OSError, ValueError, KeyError, EOFError):
        pass  # absent or damaged: compute them
    found = _compute(smiles)
    content = io.BytesIO()
    np.savez_compressed(content, counts=found.counts, descriptors=found.descriptors)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content.getvalue())
    return found


def _compute(smiles: Sequence[str]) -> MoleculeFeatures:
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator
        from rdkit.Chem import rdMolDescriptors as of
    except ImportError:
        raise MissingExtra(
            "features of molecules need RDKit", remedy="pip install 'parsimony-learning[chem]'"
        ) from None
    generator: Any = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=N_COUNTS)
    counts = np.zeros((len(smiles), N_COUNTS), np.uint8)
    values = np.zeros((len(smiles), len(DESCRIPTORS)))
    with rdBase.BlockLogs():
        for i, text in enumerate(smiles):
            molecule = molecule_of(text)
            if molecule is None:
                raise InvalidParameter(f"the SMILES {text!r} cannot be read")
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
    return MoleculeFeatures(counts, values.astype(np.float32))
