"""The training facts of a store as a graph, its adjacency memory-mapped."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from parsimony.errors import FormatError
from parsimony.graph.adjacency import Adjacency
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.graph.parts import blocks
from parsimony.graph.vocabulary import Vocabulary
from parsimony.store.manifest import REMEDY

__all__ = ["StoredGraph", "require_within"]


def require_within(triples: np.ndarray, n_entities: int, n_relations: int, where: str) -> None:
    """Look through facts for ids out of range, which compiled loops would follow out of bounds.

    Raises
    ------
    FormatError
        There is one: the file was changed.
    """
    limits = n_entities, n_relations, n_entities
    for block in blocks(triples):
        if (block < 0).any() or (block >= limits).any():
            raise FormatError("ids out of range", remedy=REMEDY, where=where)


class StoredGraph(KnowledgeGraph):
    """Facts that were checked when they were written, and edges that are grouped already.

    Parameters
    ----------
    folder : Path
        Where they lie, for errors.
    triples : int32 array, shape (n, 3)
        Read-only.
    digraph : Adjacency
        As of :attr:`parsimony.graph.KnowledgeGraph.digraph`.
    entities, relations : Vocabulary
    content_hash : str
    """

    def __init__(
        self,
        folder: Path,
        triples: np.ndarray,
        digraph: Adjacency,
        entities: Vocabulary,
        relations: Vocabulary,
        content_hash: str,
    ) -> None:
        self.triples, self._mapped, self._folder = triples, digraph, folder
        self.n_entities, self.n_relations = len(entities), len(relations)
        self.entities, self.relations = entities, relations
        vars(self)["content_hash"] = content_hash

    @cached_property
    def digraph(self) -> Adjacency:
        """Both directions of every fact; both looked through once, so that walks stay in bounds.

        Raises
        ------
        FormatError
            The files were changed.
        """
        found, n = self._mapped, len(self)
        steps = np.diff(found.indptr)
        whole = found.indptr[0] == 0 and found.indptr[-1] == 2 * n and not (steps < 0).any()
        limits = (self.n_entities, 2 * self.n_relations, n)
        if not whole or not all(
            len(part) == 0 or (part.min() >= 0 and part.max() < limit)
            for part, limit in zip(found[1:], limits, strict=True)
        ):
            raise FormatError(
                "edges that lead out of the graph", remedy=REMEDY, where=str(self._folder)
            )
        where = str(self._folder / "train.npy")
        require_within(self.triples, self.n_entities, self.n_relations, where)
        return found

    @cached_property
    def degrees(self) -> np.ndarray:
        """Number of facts at each entity (self-loops count twice), int64, shape (n_entities,)."""
        return np.diff(self._mapped.indptr)
