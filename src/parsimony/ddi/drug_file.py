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

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.decoding.documents import parse_toml
from parsimony.decoding.files import read_text
from parsimony.decoding.lines import shorten
from parsimony.errors import FormatError, suggest

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
    text = read_text(path)
    content = parse_toml(text, str(path), remedy="correct it there")
    file = _File(str(path), text)
    name = file.text(content, "name").strip()
    if not name:
        raise FormatError("no name", remedy='name = "the new drug"', where=file.at("name"))
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise FormatError(
            f"the name {name!r} holds a control character", remedy="remove it",
            where=file.at("name"),
        )  # fmt: skip
    facts = [
        file.stated_fact(key, item)
        for key, items in content.items()
        if key not in _PLAIN
        for item in file.list_of(key, items)
    ]
    for item in file.list_of("facts", content.get("facts", [])):
        if not isinstance(item, dict) or set(item) != {"relation", "entity"}:
            raise FormatError(
                f"a fact is a relation and an entity. Got {_shown(item)}",
                remedy='[[facts]], relation = "…", entity = "…"',
                where=file.at("facts"),
            )
        facts.append(StatedFact(file.text(item, "relation"), file.text(item, "entity")))
    smiles, bits = file.text(content, "smiles").strip(), file.text(content, "fingerprint").strip()
    if smiles and bits:
        raise FormatError(
            "both smiles and a fingerprint are given", remedy="leave one of them out",
            where=file.at("fingerprint"),
        )  # fmt: skip
    structure = _structure(name, smiles, bits, file)
    return NewDrug(name, smiles, structure, tuple(dict.fromkeys(facts)), str(path))


@dataclass(frozen=True)
class _File:
    """The file's content by fields, with the line of each for errors."""

    path: str
    content: str

    def at(self, key: str) -> str:
        """The file, and the line where a key first stands."""
        found = re.search(rf"""^\s*(?:\[\[?\s*)?["']?{re.escape(key)}\b""", self.content, re.M)
        if found is None:
            return self.path
        start = found.end() - len(found[0].lstrip())
        return f"{self.path}:{self.content.count(chr(10), 0, start) + 1}"

    def text(self, table: dict[str, Any], key: str) -> str:
        """The text of a field, "" where it is absent."""
        value = table.get(key, "")
        if not isinstance(value, str):
            raise FormatError(
                f"{key} must be text. Got {_shown(value)}", remedy="quote it", where=self.at(key)
            )
        return value

    def list_of(self, key: str, items: Any) -> list[Any]:
        """The items of a list."""
        if not isinstance(items, list):
            raise FormatError(
                f"{key} must be a list. Got {_shown(items)}",
                remedy=suggest(key, _PLAIN) or "[…]",
                where=self.at(key),
            )
        return items

    def stated_fact(self, key: str, item: Any) -> StatedFact:
        """One item of a list of names."""
        if isinstance(item, str):
            return StatedFact(key, item)
        if isinstance(item, dict) and "name" in item and set(item) <= {"name", "action"}:
            return StatedFact(key, self.text(item, "name"), self.text(item, "action"))
        raise FormatError(
            f"{key} lists names or {{ name, action }}. Got {_shown(item)}",
            remedy=f'{key} = ["CYP2D6", {{ name = "CYP3A4", action = "inhibitor" }}]',
            where=self.at(key),
        )


def _shown(value: Any) -> str:
    return shorten(value) if isinstance(value, str) else repr(value)[:60]


def _structure(name: str, smiles: str, hexadecimal: str, file: _File) -> npt.NDArray[np.uint8]:
    if hexadecimal:
        try:
            packed = np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)
        except ValueError:
            packed = np.empty(0, np.uint8)
        if len(packed) != BITS // 8:
            raise FormatError(
                f"the fingerprint is not {BITS:,} bits in hexadecimal ({BITS // 4} digits)",
                remedy="Morgan, radius 2, the first bit first; or give smiles",
                where=file.at("fingerprint"),
            )
        return np.unpackbits(packed)
    if not smiles:
        return np.zeros(BITS, np.uint8)
    try:
        bits: npt.NDArray[np.uint8] = morgan_fingerprints([smiles], [name])[0]
    except FormatError as error:
        raise FormatError(error.message, remedy=error.remedy, where=file.at("smiles")) from None
    return bits
