"""Facts: vocabularies, adjacency, the knowledge graph, file formats and splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.graph.adjacency import Adjacency
    from parsimony.graph.formats import read_triples
    from parsimony.graph.knowledge_graph import KnowledgeGraph
    from parsimony.graph.splits import split_triples
    from parsimony.graph.vocabulary import Vocabulary

__all__ = ["Adjacency", "KnowledgeGraph", "Vocabulary", "read_triples", "split_triples"]

__getattr__ = lazy(
    __name__,
    {
        "Adjacency": "adjacency",
        "KnowledgeGraph": "knowledge_graph",
        "Vocabulary": "vocabulary",
        "read_triples": "formats",
        "split_triples": "splits",
    },
)
