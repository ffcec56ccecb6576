"""A few physico-chemical descriptors of molecules, by RDKit."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from parsimony.datasets.archive import cache_folder
from parsimony.datasets.smiles import molecule_of
from parsimony.errors import FormatError
from parsimony.run.atomic import write_atomic

__all__ = ["DESCRIPTORS", "descriptors"]

DESCRIPTORS = (
    "CalcExactMolWt", "CalcCrippenDescriptors", "CalcTPSA", "CalcNumHBD", "CalcNumHBA",
    "CalcNumRotatableBonds", "CalcNumRings", "CalcNumAromaticRings", "CalcFractionCSP3",
    "CalcLabuteASA", "CalcNumHeteroatoms", "CalcNumAmideBonds", "CalcNumAliphaticRings",
    "CalcChi1v", "CalcKappa2", "CalcHallKierAlpha",
)  # fmt: skip
COLUMNS = len(DESCRIPTORS) + 1  # Crippen's are two: logP and molar refractivity


def descriptors(smiles: Sequence[str]) -> npt.NDArray[np.float32]:
    """Descriptors (n, 17), computed once and cached; their names are those of RDKit.

    Raises
    ------
    FormatError
        A SMILES that RDKit cannot read.
    MissingExtra
        RDKit is not installed.
    """
    text = "\n".join(("descriptors 1", *DESCRIPTORS, *smiles))
    path = cache_folder() / "descriptors" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
    try:
        kept: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
        if kept.shape == (len(smiles), COLUMNS):
            return kept
    except (OSError, ValueError):
        pass  # absent or damaged: compute them
    values = np.zeros((len(smiles), COLUMNS), np.float32)
    for i, each in enumerate(smiles):
        values[i] = _of(each)
    stream = io.BytesIO()
    np.save(stream, values)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, stream.getvalue())
    return values


def _of(text: str) -> list[float]:
    molecule = molecule_of(text)
    if molecule is None:
        raise FormatError(f"the SMILES {text!r} cannot be read", remedy="leave the molecule out")
    from rdkit.Chem import rdMolDescriptors

    found: list[float] = []
    for name in DESCRIPTORS:
        value = getattr(rdMolDescriptors, name)(molecule)
        found += value if isinstance(value, tuple) else [value]
    return found
