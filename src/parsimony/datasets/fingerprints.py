"""Morgan fingerprints of molecules, by RDKit, and their Tanimoto similarity."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.datasets.archive import cache_folder
from parsimony.errors import FormatError, MissingExtra
from parsimony.run.atomic import write_atomic

__all__ = ["morgan_fingerprints", "tanimoto"]

BITS = 1024
RADIUS = 2


def morgan_fingerprints(
    smiles: Sequence[str], names: Sequence[str] | None = None
) -> npt.NDArray[np.uint8]:
    """Morgan fingerprints (radius 2, 1,024 bits), computed once and cached.

    Parameters
    ----------
    smiles
        One molecule each; "" gives a row of zeros.
    names
        Of the molecules, for the error message.

    Returns
    -------
    uint8 array, shape (n, 1024)
        0 or 1.

    Raises
    ------
    FormatError
        A SMILES that RDKit cannot read, with its message and position.
    MissingExtra
        RDKit is not installed.
    """
    text = "\n".join(smiles)
    key = hashlib.sha256(f"morgan {RADIUS} {BITS}\n{text}".encode()).hexdigest()[:32]
    path = cache_folder() / "fingerprints" / f"{key}.bits"
    size = (len(smiles) * BITS + 7) // 8
    if path.is_file() and path.stat().st_size == size:
        packed = np.frombuffer(path.read_bytes(), np.uint8)
        return np.unpackbits(packed)[: len(smiles) * BITS].reshape(len(smiles), BITS)
    bits = _compute(smiles, names or smiles)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, np.packbits(bits).tobytes())
    return bits


def _compute(smiles: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.uint8]:
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError:
        raise MissingExtra(
            "fingerprints of molecules need RDKit",
            remedy="pip install 'parsimony-learning[chem]'",
        ) from None
    generator: Any = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    bits = np.zeros((len(smiles), BITS), np.uint8)
    for i, text in enumerate(smiles):
        if not text:
            continue
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(text)
        if molecule is None:
            raise FormatError(
                f"the SMILES of {names[i]!r} cannot be read: {_reason(text)}",
                remedy="correct it, or leave it empty",
            )
        bits[i] = generator.GetFingerprintAsNumPy(molecule)
    return bits


def _reason(text: str) -> str:
    """What is wrong with a SMILES, and where, in RDKit's own words."""
    from rdkit import Chem, rdBase

    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger = logging.getLogger("rdkit")
    before, logger.handlers = logger.handlers, [Listener()]
    propagated, logger.propagate = logger.propagate, False
    rdBase.LogToPythonLogger()
    try:
        Chem.MolFromSmiles(text)
    finally:
        rdBase.LogToCppStreams()
        logger.handlers, logger.propagate = before, propagated
    # Without the time, the text itself and the arrow below it.
    told = [
        re.sub(r"^\[[\d:]+\] |SMILES Parse Error: ", "", line).strip().rstrip(":")
        for each in heard
        for line in each.split("\n")
    ]
    reasons = [line for line in told if _is_reason(line, text)]
    # RDKit names the position of what it cannot parse, but not where an open ring began.
    if (start := _open_ring(text)) and any("unclosed ring" in reason for reason in reasons):
        reasons.append(f"ring opened at position {start}")
    return f"{text!r}: {'; '.join(reasons) or 'no valid structure'}"


def _open_ring(text: str) -> int | None:
    """Position, from 1, of the first ring-closure digit that is never closed."""
    bare = re.sub(r"\[[^\]]*\]", lambda atom: "_" * len(atom[0]), text)
    opened: dict[str, int] = {}
    for ring in re.finditer(r"%\d\d|\d", bare):
        if opened.pop(ring[0].lstrip("%"), None) is None:
            opened[ring[0].lstrip("%")] = ring.start() + 1
    return min(opened.values(), default=None)


def _is_reason(line: str, text: str) -> bool:
    return bool(line.strip("~^ ")) and line != text and not line.startswith("Failed parsing")


def tanimoto(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Tanimoto similarity |x ∧ y| / |x ∨ y| of bit rows: (n_a, n_b); 0 where both are empty."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    common = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1)[None] - common
    similar: npt.NDArray[np.float32] = np.zeros_like(common)
    np.divide(common, either, out=similar, where=either > 0)
    return similar
