"""Read SMILES with RDKit: what a molecule is known by, and why a text is no molecule.

Two texts are the same molecule if they have the same canonical form: RDKit's canonical isomeric
SMILES of the whole record, without atom numbers (``[CH3:1]``). The order of atoms, of branches and
of parts, Kekulé or aromatic bonds and explicit hydrogens make no difference. Salts and solvents,
charges, tautomers, isotopes and stereochemistry do: a salt is not its free acid, an enantiomer not
its mirror image, and a centre that is left open is neither of them. Every comparison of molecules
goes by :func:`canonical`, and every feature is computed from it, not from what was written.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from parsimony.chem.cache import cached, rdkit
from parsimony.errors import FormatError

__all__ = [
    "canonical", "canonical_forms", "molecule_of", "parent", "reason_unreadable", "require_forms",
]  # fmt: skip

#: RDKit's time grows with the square of the length and of the number of rings; of 120,000 molecules
#: of the benchmarks the longest has 1,340 characters, the largest 492 atoms.
MAX_CHARACTERS = 5_000
MAX_ATOMS = 1_000
SHOWN = 80  # characters of a text that a message repeats
_ROUNDS = 4  # RDKit's form of a form is nearly always the form itself


def molecule_of(text: str) -> Any:
    """Return RDKit's molecule of a SMILES; None where it cannot be read, or holds no atom.

    Raises
    ------
    MissingExtra
        RDKit is not installed.
    """
    Chem, rdBase = rdkit().Chem, rdkit().rdBase
    if _refused(text):
        return None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return molecule if molecule is not None and 0 < molecule.GetNumAtoms() <= MAX_ATOMS else None


@lru_cache(maxsize=1 << 16)
def canonical(text: str) -> str | None:
    """Return what a molecule is known by, its canonical SMILES; None if it cannot be read."""
    from rdkit import Chem

    for _ in range(_ROUNDS):
        if (molecule := molecule_of(text)) is None:
            return None
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
        before, text = text, str(Chem.MolToSmiles(molecule))
        if text == before:
            break
    return text


def parent(text: str) -> str:
    """Canonical SMILES of the largest part, uncharged and flat; "" if unreadable.

    Tells a drug in one list by a salt or an isomer of it in another, and is for nothing else.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.MolStandardize import rdMolStandardize as standardize

    if (molecule := molecule_of(text)) is None:
        return ""
    with rdBase.BlockLogs():
        largest = standardize.LargestFragmentChooser().choose(molecule)
        neutral: Any = standardize.Uncharger().uncharge(largest)
    return str(Chem.MolToSmiles(neutral, isomericSmiles=False))


def canonical_forms(smiles: Sequence[str]) -> tuple[str, ...]:
    """Return :func:`canonical` of many, "" where one cannot be read; computed once and cached."""

    def compute() -> dict[str, Any]:
        text = "\n".join(canonical(text) or "" for text in smiles)
        return {"forms": np.frombuffer(text.encode(), np.uint8)}

    forms = cached("smiles", 1, smiles, compute)["forms"].tobytes().decode().split("\n")
    return tuple(forms[: len(smiles)])


def require_forms(
    smiles: Sequence[str], names: Sequence[str] | None = None, *, blank: bool = False
) -> tuple[str, ...]:
    """Return the canonical forms of molecules that all have to be readable.

    Parameters
    ----------
    names
        Of the molecules, for the error message.
    blank
        Let an empty text be no molecule, "".

    Raises
    ------
    FormatError
        RDKit cannot parse a SMILES; with its message and position.
    MissingExtra
        RDKit is not installed.
    """
    forms = canonical_forms(smiles)
    for i, form in enumerate(forms):
        if not (form or (blank and not smiles[i])):
            raise FormatError(
                f"the SMILES of {str((names or smiles)[i])[:SHOWN]!r} cannot be read: "
                f"{reason_unreadable(smiles[i])}",
                remedy="correct it, or leave it empty" if blank else "correct it, or leave it out",
            )
    return forms


def _refused(text: str) -> str:
    """Why a text is not even given to RDKit; "" where it is."""
    if not isinstance(text, str):
        return f"not text but {type(text).__name__}"
    if len(text) > MAX_CHARACTERS:
        return f"{len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
    if not text.isascii():
        at = next(i for i, letter in enumerate(text) if not letter.isascii())
        return f"a character outside ASCII at position {at + 1}"
    return ""


def reason_unreadable(text: str) -> str:
    """Why RDKit cannot read a SMILES, with the position where it says one."""
    from rdkit import Chem, rdBase

    short = text if len(str(text)) <= SHOWN else f"{str(text)[:SHOWN]}…"
    if why := _refused(text):
        return f"{short!r}: {why}"
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger = logging.getLogger("rdkit")
    before, logger.handlers = logger.handlers, [Listener()]
    propagated, logger.propagate = logger.propagate, False
    rdBase.LogToPythonLogger()
    try:
        molecule = Chem.MolFromSmiles(text)
    finally:
        rdBase.LogToCppStreams()
        logger.handlers, logger.propagate = before, propagated
    if molecule is not None and (n := molecule.GetNumAtoms()) > MAX_ATOMS:
        return f"{short!r}: {n:,} atoms; at most {MAX_ATOMS:,} are read"
    # Without the time, the text itself and the arrow below it.
    lines = [
        re.sub(r"^\[[\d:]+\] |SMILES Parse Error: ", "", line).strip().rstrip(":")
        for each in heard
        for line in each.split("\n")
    ]
    reasons = [line for line in lines if _is_reason(line, text)]
    # RDKit names the position of what it cannot parse, but not where an open ring began.
    if (start := _open_ring(text)) and any("unclosed ring" in reason for reason in reasons):
        reasons.append(f"ring opened at position {start}")
    told = "; ".join(reason.replace(text, short) for reason in reasons)
    return f"{short!r}: {told or 'no valid structure'}"


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
