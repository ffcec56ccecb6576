"""Morgan fingerprints of molecules, by RDKit, and their Tanimoto similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.cache import cached
from parsimony.chem.smiles import molecule_of, require_forms

__all__ = ["morgan_fingerprints", "tanimoto", "tanimoto_shares"]

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
    forms = require_forms(smiles, names, blank=True)
    packed = cached(
        "fingerprints", 2, forms, lambda: _compute(forms, n_bits), radius=RADIUS, bits=n_bits
    )["bits"]
    return np.unpackbits(packed, axis=1)[:, :n_bits]


def _compute(forms: Sequence[str], n_bits: int) -> dict[str, npt.NDArray[np.uint8]]:
    from rdkit.Chem import rdFingerprintGenerator

    generator: Any = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=n_bits)
    bits = np.zeros((len(forms), n_bits), np.uint8)
    for i, form in enumerate(forms):
        if form:
            bits[i] = generator.GetFingerprintAsNumPy(molecule_of(form))
    return {"bits": np.packbits(bits, axis=1)}


def tanimoto(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the Tanimoto similarities |x ∧ y| / |x ∨ y|, (n_a, n_b); 0 where both are empty."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    common = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1)[None] - common
    similar: npt.NDArray[np.float32] = np.zeros_like(common)
    np.divide(common, either, out=similar, where=either > 0)
    return similar


def tanimoto_shares(
    bits: npt.NDArray[np.uint8], own: npt.NDArray[np.uint8], alpha: npt.NDArray[Any],
    power: float = 1.0,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """What each bit adds to Σ_i α_i k(x, x_i)^p with the Tanimoto similarity k.

    Of k = |x ∧ x_i| / |x ∨ x_i|, each bit that both have makes 1 / |x ∨ x_i|, and of its power the
    same fraction.

    Parameters
    ----------
    bits : (n, n_bits)
    own : (n_support, n_bits)
    alpha : (n_support,)

    Returns
    -------
    array, shape (n, n_bits)
        Their sums over the bits are the scores.
    """
    x, y = bits.astype(float), own.astype(float)
    common = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1)[None] - common
    similar = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    each = np.divide(similar**power, common, out=np.zeros_like(common), where=common > 0)
    shares: npt.NDArray[np.float64] = x * ((each * alpha) @ y)
    return shares
