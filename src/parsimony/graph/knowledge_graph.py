"""Facts as an immutable graph."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path

import numpy as np

from parsimony import decoding
from parsimony.decoding.documents import read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter
from parsimony.graph.adjacency import Adjacency, group_by_node
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["KnowledgeGraph", "frozen_triples", "load_array", "rows_of"]


def frozen_triples(triples: np.ndarray, n_entities: int, n_relations: int) -> np.ndarray:
    """Return ``triples`` as a read-only C-contiguous int32 array of shape (n, 3).

    Raises
    ------
    InvalidParameter
        Wrong shape, or an id out of range.
    """
    array = np.asarray(triples)
    if array.size == 0:
        array = array.reshape(0, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InvalidParameter(
            f"triples have shape {array.shape}; expected (n, 3): head, relation, tail"
        )
    if len(array):
        low, high = array.min(axis=0), array.max(axis=0)
        limits = np.array([n_entities, n_relations, n_entities])
        for column, name in enumerate(("head", "relation", "tail")):
            if low[column] < 0 or high[column] >= limits[column]:
                bad = low[column] if low[column] < 0 else high[column]
                raise InvalidParameter(
                    f"{name} id {bad} is outside 0 … {limits[column] - 1}",
                    remedy="check the vocabulary that encoded the triples",
                )
    if array.dtype == np.int32 and array.flags.c_contiguous and not array.flags.writeable:
        return array
    array = np.array(array, dtype=np.int32, order="C")
    array.flags.writeable = False
    return array


def load_array(path: Path, mmap: bool) -> np.ndarray:
    """Read an .npy file without executing code, memory-mapped on request.

    Raises
    ------
    MissingFile, NotAFile, FormatError
    """
    array: np.ndarray = decoding.load_array(
        path, kind="iu", ndim=2, mmap=mmap, remedy="save it again"
    )
    return array


def rows_of(triples: np.ndarray, fact: tuple[int, int, int]) -> np.ndarray:
    """Return the rows of facts (n, 3) that are equal to one, int64."""
    rows = np.flatnonzero(triples[:, 0] == fact[0])  # one column is read of nearly all
    found: np.ndarray = rows[(triples[rows, 1:] == fact[1:]).all(axis=1)]
    return found


class KnowledgeGraph:
    """An immutable multigraph of facts (head, relation, tail).

    Parameters
    ----------
    triples : integer array, shape (n, 3)
        Columns head, relation, tail; duplicates and self-loops are kept.
    n_entities, n_relations : int
        Ids run from 0; entities without facts are allowed.
    entities, relations : Vocabulary, optional
        The names of the ids.

    Raises
    ------
    InvalidParameter
        Wrong shape, an id out of range, or a vocabulary of another size.
    """

    def __init__(
        self,
        triples: np.ndarray,
        n_entities: int,
        n_relations: int,
        entities: Vocabulary | None = None,
        relations: Vocabulary | None = None,
    ) -> None:
        self.triples = frozen_triples(triples, n_entities, n_relations)
        self.n_entities = int(n_entities)
        self.n_relations = int(n_relations)
        self.entities = entities
        self.relations = relations
        for vocabulary, size in ((entities, n_entities), (relations, n_relations)):
            if vocabulary is not None and len(vocabulary) != size:
                raise InvalidParameter(
                    f"{len(vocabulary)} {vocabulary.kind} names for {size} ids",
                    remedy="give one name per id",
                )

    def __repr__(self) -> str:
        """Show the counts."""
        return (
            f"KnowledgeGraph({len(self):,} facts, {self.n_entities:,} entities, "
            f"{self.n_relations:,} relations)"
        )

    def __len__(self) -> int:
        """Return the number of facts."""
        return len(self.triples)

    @cached_property
    def csr(self) -> Adjacency:
        """Facts grouped by head; ``neighbour`` is the tail."""
        head, relation, tail = self._columns()
        facts = np.arange(len(self), dtype=np.int32)
        return group_by_node(head, tail, relation, facts, self.n_entities)

    @cached_property
    def csc(self) -> Adjacency:
        """Facts grouped by tail; ``neighbour`` is the head."""
        head, relation, tail = self._columns()
        facts = np.arange(len(self), dtype=np.int32)
        return group_by_node(tail, head, relation, facts, self.n_entities)

    @cached_property
    def digraph(self) -> Adjacency:
        """Both directions of every fact: (h, r, t) and (t, r + n_relations, h).

        Grouped by source node; ``2 n`` edges, forward ones first within a node.
        ``fact`` is the row of the triple for either direction.
        """
        head, relation, tail = self._columns()
        facts = np.arange(len(self), dtype=np.int32)
        return group_by_node(
            np.concatenate([head, tail]),
            np.concatenate([tail, head]),
            np.concatenate([relation, relation + np.int32(self.n_relations)]),
            np.concatenate([facts, facts]),
            self.n_entities,
        )

    def rows_of(self, fact: tuple[int, int, int]) -> np.ndarray:
        """Return the rows that state a fact (head, relation, tail), int64."""
        if "digraph" not in self.__dict__:
            return rows_of(self.triples, fact)
        indptr, neighbour, relation, row = self.digraph
        own = slice(indptr[fact[0]], indptr[fact[0] + 1])
        stated = (relation[own] == fact[1]) & (neighbour[own] == fact[2])
        found: np.ndarray = row[own][stated].astype(np.int64)
        return found

    @cached_property
    def degrees(self) -> np.ndarray:
        """Number of facts at each entity (self-loops count twice), int64, shape (n_entities,)."""
        head, _, tail = self._columns()
        return np.bincount(head, minlength=self.n_entities) + np.bincount(
            tail, minlength=self.n_entities
        )

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over the counts and the triples, in hexadecimal."""
        digest = hashlib.sha256(f"{self.n_entities} {self.n_relations} {len(self)}\n".encode())
        digest.update(np.ascontiguousarray(self.triples).data)
        return digest.hexdigest()

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = np.ascontiguousarray(self.triples.T)
        return columns[0], columns[1], columns[2]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``triples.npy``, ``graph.json`` and the vocabularies into ``folder``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "triples.npy", self.triples)
        for vocabulary, name in ((self.entities, "entities"), (self.relations, "relations")):
            if vocabulary is not None:
                vocabulary.save(folder / f"{name}.txt")
        meta = {
            "format": 1,
            "n_entities": self.n_entities,
            "n_relations": self.n_relations,
            "content_hash": self.content_hash,
        }
        (folder / "graph.json").write_text(json_text(meta, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str], mmap: bool = True) -> KnowledgeGraph:
        """Read what :meth:`save` wrote, the triples memory-mapped unless ``mmap`` is false.

        Raises
        ------
        MissingFile, NotAFile, FormatError
        """
        folder = Path(folder)
        try:
            meta = read_json(folder / "graph.json")
            n_entities, n_relations = int(meta["n_entities"]), int(meta["n_relations"])
        except (ValueError, KeyError, TypeError, OverflowError):
            raise FormatError(
                "expected a JSON object with n_entities and n_relations",
                remedy="save the graph again",
                where=str(folder / "graph.json"),
            ) from None
        vocabularies: dict[str, Vocabulary] = {}
        if (folder / "entities.txt").exists():
            vocabularies["entities"] = Vocabulary.load(folder / "entities.txt", "entity")
        if (folder / "relations.txt").exists():
            vocabularies["relations"] = Vocabulary.load(folder / "relations.txt", "relation")
        triples = load_array(folder / "triples.npy", mmap)
        return cls(triples, n_entities, n_relations, **vocabularies)
