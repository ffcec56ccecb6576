"""What was computed of a list of molecules, kept in the user's cache: one file per list.

A file is written beside its place and renamed, so that two processes see a whole one or none; it
carries a checksum of its content and of what it is of. What is absent, damaged or of another
version is computed; where the cache cannot be written, it is computed every time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.datasets.archive import cache_folder
from parsimony.decoding.arrays import load_tensors
from parsimony.decoding.strict_json import json_text
from parsimony.errors import MissingExtra, ParsimonyError
from parsimony.run.tensor_file import tensor_digest, write_tensors

__all__ = ["cached"]

CHECKSUM = "sha256"
Arrays = Mapping[str, npt.NDArray[Any]]


def rdkit() -> Any:
    """Return RDKit, with what reads SMILES.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import rdkit
        import rdkit.Chem
    except ImportError:
        raise MissingExtra(
            "reading molecules needs RDKit", remedy="pip install 'parsimony-learning[chem]'"
        ) from None
    return rdkit


def cached(
    kind: str, version: int, smiles: Sequence[str], compute: Callable[[], Arrays], **settings: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that ``compute`` makes of molecules, from the cache where they are there.

    Parameters
    ----------
    kind
        What they are, and the folder in the cache.
    version
        Counted up where ``compute`` makes something else of the same molecules.
    smiles
        The molecules.
    compute
        Makes the arrays by name.
    **settings
        What else they depend on.

    Raises
    ------
    MissingExtra
        RDKit is not installed.
    """
    # Another RDKit may write another canonical SMILES, and count other fragments.
    of = json_text([kind, version, rdkit().__version__, settings, *smiles])
    key = hashlib.sha256(of.encode()).hexdigest()
    path = cache_folder() / kind / f"{key[:32]}.safetensors"
    with suppress(ParsimonyError, KeyError):
        found = load_tensors(path, finite=False)
        if found.pop(CHECKSUM).tobytes().hex() == tensor_digest(key, found):
            return found
    made = dict(compute())
    check = np.frombuffer(bytes.fromhex(tensor_digest(key, made)), np.uint8)
    with suppress(OSError):  # read-only, full or not a folder
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, {**made, CHECKSUM: check})
    return made
