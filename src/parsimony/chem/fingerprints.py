"""Morgan fingerprints of molecules, by RDKit, and their Tanimoto similarity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.smiles import molecule_of, reason_unreadable
from parsimony.datasets.archive import cache_folder
from parsimony.errors import FormatError, MissingExtra
from parsimony.run.atomic import write_atomic

__all__ = ["morgan_fingerprints", "tanimoto"]

BITS = 1024
RADIUS = 2


def morgan_fingerprints(
    smiles: Sequence[str], names: Sequence[str] | None = None, *, n_bits: int = BITS
) -> npt.NDArray[np.uint8]:
    """Return Morgan fingerprints of radius 2, computed once and cached.

    Parameters
    ----------
    smiles
        One molecule each; "" gives a row of zeros.
    names
        Names of the molecules, for the error message.
    n_bits
        Length of a fingerprint.

    Returns
    -------
    uint8 array, shape (n, n_bits)
        0 or 1.

    Raises
    ------
    FormatError
        RDKit cannot parse a SMILES; with its message and position.
    MissingExtra
        RDKit is not installed.
    """
    text = "\n".join(smiles)
    key = hashlib.sha256(f"morgan {RADIUS} {n_bits}\n{text}".encode()).hexdigest()[:32]
    path = cache_folder() / "fingerprints" / f"{key}.bits"
    size = (len(smiles) * n_bits + 7) // 8
    kept = _kept(path, size)
    if kept is not None:
        packed = np.frombuffer(kept, np.uint8)
        return np.unpackbits(packed)[: len(smiles) * n_bits].reshape(len(smiles), n_bits)
    bits = _compute(smiles, names or smiles, n_bits)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = np.packbits(bits).tobytes()
    write_atomic(path, content + hashlib.sha256(content).digest())
    return bits


def _kept(path: Path, size: int) -> bytes | None:
    """Content of a file of the cache, which ends in its SHA-256; None where it is not whole."""
    try:
        if path.stat().st_size != size + 32:
            return None
        content = path.read_bytes()
    except OSError:  # absent, or not to be read: computed anew
        return None
    return content[:size] if hashlib.sha256(content[:size]).digest() == content[size:] else None


def _compute(smiles: Sequence[str], names: Sequence[str], n_bits: int) -> npt.NDArray[np.uint8]:
    try:
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError:
        raise MissingExtra(
            "fingerprints of molecules need RDKit",
            remedy="pip install 'parsimony-learning[chem]'",
        ) from None
    generator: Any = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=n_bits)
    bits = np.zeros((len(smiles), n_bits), np.uint8)
    for i, text in enumerate(smiles):
        if not text:
            continue
        molecule = molecule_of(text)
        if molecule is None:
            raise FormatError(
                f"the SMILES of {names[i]!r} cannot be read: {reason_unreadable(text)}",
                remedy="correct it, or leave it empty",
            )
        bits[i] = generator.GetFingerprintAsNumPy(molecule)
    return bits


def tanimoto(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the Tanimoto similarities |x ∧ y| / |x ∨ y|, (n_a, n_b); 0 where both are empty."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    common = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1)[None] - common
    similar: npt.NDArray[np.float32] = np.zeros_like(common)
    np.divide(common, either, out=similar, where=either > 0)
    return similar
