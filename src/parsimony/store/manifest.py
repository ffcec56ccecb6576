"""What ``store.json`` says: counts, hashes, where the facts come from."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from parsimony.decoding import checked, read_json
from parsimony.errors import FormatError

__all__ = ["FORMAT", "MANIFEST", "REMEDY", "SPLITS", "FileSum", "Manifest", "file_names"]

FORMAT = 1
MANIFEST = "store.json"
SPLITS = ("train", "valid", "test")
REMEDY = "ingest the facts again: parsimony ingest FACTS --out STORE"
#: arrays of the adjacency of the training facts, both directions
DIGRAPH = ("indptr", "neighbour", "relation", "fact")
_NAMES = ("entities", "relations")
_SUM = re.compile("[0-9a-f]{64}")


class FileSum(BaseModel, strict=True):
    """Size and SHA-256 of a file."""

    bytes: int
    sha256: str


class Manifest(BaseModel, strict=True):
    """All that a store says of itself.

    ``hashes`` are the content hashes of the same ``data``, ``graph`` and ``entities`` read into
    memory (:mod:`parsimony.link.data`, :mod:`parsimony.graph`).
    """

    format: int
    name: str
    source: str
    n_entities: int
    n_relations: int
    facts: dict[str, int]
    notes: list[str]
    hashes: dict[str, str]
    files: dict[str, FileSum]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a store and check it for what it must hold.

        Raises
        ------
        MissingFile, FormatError
        """
        path = folder / MANIFEST
        content = checked(dict[str, Any], read_json(path), str(path), remedy=REMEDY)
        if content.get("format") != FORMAT:
            raise FormatError(
                f"graph store of format {content.get('format')!r}, expected {FORMAT}",
                remedy=REMEDY,
                where=str(path),
            )
        found = checked(cls, content, str(path), remedy=REMEDY)
        hashes = [*found.hashes.values(), *(each.sha256 for each in found.files.values())]
        sizes = [found.n_entities, found.n_relations, *found.facts.values()]
        if (
            set(found.facts) != set(SPLITS)
            or set(found.hashes) != {"data", "graph", "entities"}
            or set(found.files) != set(file_names())
            or not all(map(_SUM.fullmatch, hashes))
            or not all(0 <= n < np.iinfo(np.int32).max for n in sizes)
        ):
            raise FormatError("not the list of a graph store", remedy=REMEDY, where=str(path))
        return found


def file_names() -> list[str]:
    """The files of a store beside its manifest."""
    return [
        *(f"{split}.npy" for split in SPLITS),
        *(f"digraph.{part}.npy" for part in DIGRAPH),
        *(f"{names}.{part}.npy" for names in _NAMES for part in ("offsets", "text")),
    ]


def file_sum(path: Path) -> FileSum:
    """Read a file through and return its size and SHA-256."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileSum(bytes=path.stat().st_size, sha256=digest)
