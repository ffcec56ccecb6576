"""Facts: vocabularies, adjacency, the knowledge graph, file formats and splits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parsimony.graph.adjacency import Adjacency
    from parsimony.graph.formats import read_triples
    from parsimony.graph.knowledge_graph import KnowledgeGraph
    from parsimony.graph.splits import split_triples
    from parsimony.graph.vocabulary import Vocabulary

__all__ = ["Adjacency", "KnowledgeGraph", "Vocabulary", "read_triples", "split_triples"]

_HOME = {
    "Adjacency": "adjacency",
    "KnowledgeGraph": "knowledge_graph",
    "Vocabulary": "vocabulary",
    "read_triples": "formats",
    "split_triples": "splits",
}


def __getattr__(name: str) -> Any:
    # Lazy: the names are cheap to list, but NumPy, SciPy and Polars take their time to import.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
