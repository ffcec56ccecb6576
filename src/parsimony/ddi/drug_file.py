"""A drug that is not in the data, as a TOML file: structure and known facts.

    name = "novamycin"
    smiles = "CC(=O)Nc1ccc(O)cc1"               # or fingerprint = "hex", 1,024 bits
    enzymes = [{ name = "CYP3A4", action = "inhibitor" }, "CYP2D6"]
    side_effects = ["Nausea"]
    [[facts]]                                   # any relation of the graph
    relation = "in_class"
    entity = "Macrolide Antimicrobial"

A relation's own name serves as a key as well (``substrate_of = ["CYP3A4"]``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.decoding.documents import read_toml
from parsimony.errors import FormatError

__all__ = ["NewDrug", "StatedFact", "read_new_drug"]

_PLAIN = ("name", "smiles", "fingerprint", "facts")


@dataclass(frozen=True)
class StatedFact:
    """A fact that the file states of the drug.

    Attributes
    ----------
    key : str
        The list it stands in ("enzymes"), or the relation's own name.
    entity : str
        Id or name.
    action : str
        What the drug does to a protein, "" where not told.
    """

    key: str
    entity: str
    action: str = ""


@dataclass(frozen=True, eq=False)
class NewDrug:
    """Name, structure and facts of a drug.

    Attributes
    ----------
    name : str
    smiles : str
        "" where only a fingerprint is given, or nothing.
    bits : uint8 array, shape (1024,)
        Zeros where no structure is given.
    facts : tuple of StatedFact
    source : str
        The file.
    """

    name: str
    smiles: str
    bits: npt.NDArray[np.uint8]
    facts: tuple[StatedFact, ...]
    source: str = ""


def read_new_drug(path: Path) -> NewDrug:
    """Read the file of a new drug.

    Raises
    ------
    MissingFile, EncodingError
        Not a readable file.
    FormatError
        Not TOML, a value of the wrong type, or a SMILES that cannot be read, with its position.
    MissingExtra
        A SMILES, and RDKit is not installed.
    """
    where = str(path)
    content = read_toml(path, remedy="correct it there")
    name = _text(content, "name", where).strip()
    if not name:
        raise FormatError("no name", remedy='name = "the new drug"', where=where)
    facts = [
        _stated_fact(key, item, where)
        for key, items in content.items()
        if key not in _PLAIN
        for item in _list(key, items, where)
    ]
    for item in _list("facts", content.get("facts", []), where):
        if not isinstance(item, dict) or set(item) != {"relation", "entity"}:
            raise FormatError(
                f"a fact is a relation and an entity. Got {item!r}",
                remedy='[[facts]], relation = "…", entity = "…"',
                where=where,
            )
        facts.append(StatedFact(_text(item, "relation", where), _text(item, "entity", where)))
    smiles = _text(content, "smiles", where)
    bits = _structure(name, smiles, _text(content, "fingerprint", where), where)
    return NewDrug(name, smiles, bits, tuple(dict.fromkeys(facts)), where)


def _structure(name: str, smiles: str, hexadecimal: str, where: str) -> npt.NDArray[np.uint8]:
    if hexadecimal:
        try:
            packed = np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)
        except ValueError:
            packed = np.empty(0, np.uint8)
        if len(packed) != BITS // 8:
            raise FormatError(
                f"the fingerprint is not {BITS:,} bits in hexadecimal ({BITS // 4} digits)",
                remedy="Morgan, radius 2, the first bit first; or give smiles",
                where=where,
            )
        return np.unpackbits(packed)
    if not smiles:
        return np.zeros(BITS, np.uint8)
    try:
        bits: npt.NDArray[np.uint8] = morgan_fingerprints([smiles], [name])[0]
    except FormatError as error:
        raise FormatError(error.message, remedy=error.remedy, where=where) from None
    return bits


def _stated_fact(key: str, item: Any, where: str) -> StatedFact:
    if isinstance(item, str):
        return StatedFact(key, item)
    if isinstance(item, dict) and "name" in item and set(item) <= {"name", "action"}:
        return StatedFact(key, _text(item, "name", where), _text(item, "action", where))
    raise FormatError(
        f"{key} lists names or {{ name, action }}. Got {item!r}",
        remedy=f'{key} = ["CYP2D6", {{ name = "CYP3A4", action = "inhibitor" }}]',
        where=where,
    )


def _list(key: str, items: Any, where: str) -> list[Any]:
    if not isinstance(items, list):
        raise FormatError(f"{key} must be a list. Got {items!r}", remedy="[…]", where=where)
    return items


def _text(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise FormatError(f"{key} must be text. Got {value!r}", remedy="quote it", where=where)
    return value
