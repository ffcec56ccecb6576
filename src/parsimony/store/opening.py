"""Opening a store: sizes are compared with the manifest, little is read, no code is run."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.decoding import check_folder, mapped_array
from parsimony.decoding.files import check_file
from parsimony.errors import ChecksumMismatch, FormatError
from parsimony.graph.adjacency import Adjacency
from parsimony.graph.vocabulary import Vocabulary
from parsimony.store.graph import StoredGraph, require_within
from parsimony.store.manifest import DIGRAPH, MANIFEST, REMEDY, Manifest, file_sum
from parsimony.store.names import MappedNames, StoredVocabulary

__all__ = ["GraphStore", "is_store"]


def is_store(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a graph store."""
    return os.path.lexists(Path(folder) / MANIFEST)


@dataclass(frozen=True, eq=False)
class GraphStore:
    """An open graph store.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    entities : StoredVocabulary
    relations : Vocabulary
    graph : StoredGraph
        The training facts.
    train, valid, test : int32 arrays, shape (n, 3)
        Memory-mapped and read-only.
    """

    folder: Path
    manifest: Manifest
    entities: StoredVocabulary
    relations: Vocabulary
    graph: StoredGraph
    train: npt.NDArray[np.int32]
    valid: npt.NDArray[np.int32]
    test: npt.NDArray[np.int32]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> GraphStore:
        """Map the files of a store.

        Raises
        ------
        MissingFile, NotAFile
            A file is missing.
        FormatError
            A file is of another size or shape than the manifest says, or held-out facts name what
            is not there; ``where`` names it.
        """
        folder = check_folder(folder)
        told = Manifest.read(folder)
        facts = {
            split: _map(folder, told, f"{split}.npy", np.int32, (n, 3))
            for split, n in told.facts.items()
        }
        for split in ("valid", "test"):
            where = str(folder / f"{split}.npy")
            require_within(facts[split], told.n_entities, told.n_relations, where)
        n_edges = 2 * told.facts["train"]
        shapes: dict[str, tuple[type, int]] = dict.fromkeys(DIGRAPH, (np.int32, n_edges))
        shapes["indptr"] = np.int64, told.n_entities + 1
        digraph = Adjacency(
            **{
                part: _map(folder, told, f"digraph.{part}.npy", kind, (size,))
                for part, (kind, size) in shapes.items()
            }
        )
        entities = StoredVocabulary(
            _names(folder, told, "entities", told.n_entities), "entity", told.hashes["entities"]
        )
        relations = Vocabulary([*_names(folder, told, "relations", told.n_relations)], "relation")
        graph = StoredGraph(
            folder, facts["train"], digraph, entities, relations, told.hashes["graph"]
        )
        return cls(folder, told, entities, relations, graph, **facts)

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(each.bytes for each in self.manifest.files.values())

    def verify(self) -> None:
        """Read all files through and compare them with their checksums.

        Raises
        ------
        ChecksumMismatch
            A file was changed; ``where`` names it.
        """
        for name, told in self.manifest.files.items():
            if file_sum(self.folder / name) != told:
                raise ChecksumMismatch(
                    "the file differs from its checksum in the store",
                    remedy=REMEDY,
                    where=str(self.folder / name),
                )

    def put(self, folder: Path) -> None:
        """Put the store into a folder, too: by a second name for its files where that is possible.

        The files of a store never change, so that they can be shared; on another file system they
        are copied.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*self.manifest.files, MANIFEST):
            target = folder / name
            target.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                os.link(self.folder / name, target)
            if not target.exists():
                shutil.copyfile(self.folder / name, target)


def _map(
    folder: Path, told: Manifest, name: str, kind: Any, shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    path = check_file(folder / name)
    size = path.stat().st_size
    if size != told.files[name].bytes:
        raise FormatError(
            f"{size:,} bytes, expected {told.files[name].bytes:,}", remedy=REMEDY, where=str(path)
        )
    mapped = mapped_array(path, kind="iu", ndim=len(shape), remedy=REMEDY)
    array: npt.NDArray[Any] = mapped.view(np.ndarray)
    fits = all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if array.dtype != kind or not fits or not array.flags.c_contiguous:
        raise FormatError(
            f"{array.dtype} {array.shape}, expected {np.dtype(kind)} {shape}",
            remedy=REMEDY,
            where=str(path),
        )
    return array


def _names(folder: Path, told: Manifest, which: str, n: int) -> MappedNames:
    offsets = _map(folder, told, f"{which}.offsets.npy", np.int64, (n + 1,))
    file = f"{which}.text.npy"
    return MappedNames(offsets, _map(folder, told, file, np.uint8, (None,)), str(folder / file))
