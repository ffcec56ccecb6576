"""Read SMILES with RDKit, and explain why one cannot be read."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from typing import Any

from parsimony.datasets.archive import cache_folder
from parsimony.decoding.strict_json import json_text
from parsimony.errors import MissingExtra
from parsimony.run.atomic import write_atomic

__all__ = ["canonical", "molecule_of", "reason_unreadable", "unreadable"]


def molecule_of(text: str) -> Any:
    """Return RDKit's molecule of a SMILES; None where it cannot be read, or holds no atom.

    Raises
    ------
    MissingExtra
        RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
    except ImportError:
        raise MissingExtra(
            "reading molecules needs RDKit", remedy="pip install 'parsimony-learning[chem]'"
        ) from None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def canonical(text: str) -> str | None:
    """Return the canonical SMILES of a molecule; None if it cannot be read."""
    from rdkit import Chem

    molecule = molecule_of(text)
    return None if molecule is None else str(Chem.MolToSmiles(molecule))


def unreadable(smiles: Sequence[str]) -> list[int]:
    """Return the positions of SMILES that cannot be read; computed once and cached."""
    key = hashlib.sha256("\n".join(["readable", *smiles]).encode()).hexdigest()[:32]
    path = cache_folder() / "smiles" / f"{key}.json"
    try:
        kept = json.loads(path.read_bytes())
        if kept["n"] == len(smiles):
            return [int(i) for i in kept["unreadable"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # absent or damaged: read them
    found = [i for i, text in enumerate(smiles) if molecule_of(text) is None]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json_text({"n": len(smiles), "unreadable": found}))
    return found


def reason_unreadable(text: str) -> str:
    """Why RDKit cannot read a SMILES, with the position where it says one."""
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
    lines = [
        re.sub(r"^\[[\d:]+\] |SMILES Parse Error: ", "", line).strip().rstrip(":")
        for each in heard
        for line in each.split("\n")
    ]
    reasons = [line for line in lines if _is_reason(line, text)]
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
