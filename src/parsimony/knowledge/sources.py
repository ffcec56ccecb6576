"""Where knowledge is read from: a book, a text file, a run, an ontology; and the types of entities.

``types.tsv`` beside the facts has a line per entity and type, separated by a tab.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from parsimony.decoding.files import read_text
from parsimony.errors import FormatError
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.knowledge.book import KnowledgeBook, read_book
from parsimony.knowledge.ontology import ONTOLOGY_SUFFIXES, read_ontology
from parsimony.knowledge.rule_counts import relation_names

__all__ = ["TYPES", "mine_types", "read_knowledge", "read_types"]

TYPES = "types.tsv"
# Relations by which graphs state the type of an entity.
_TYPING = {"type", "rdftype", "isa", "instanceof", "hastype", "p31", "22rdfsyntaxnstype"}


def read_knowledge(
    path: str | os.PathLike[str],
    graph: KnowledgeGraph | None = None,
    *,
    types: Mapping[str, tuple[str, ...]] | None = None,
    notes: list[str] | None = None,
) -> KnowledgeBook:
    """Read a book, a file of rules and axioms, the book of a run folder, or an ontology.

    Parameters
    ----------
    path : str or path
    graph : KnowledgeGraph, optional
        Whose names an ontology is matched to.
    types : mapping, optional
        Types of entities, such as those of :func:`read_types`, that are added to the book's.
    notes : list of str, optional
        What was matched and what was left out.

    Raises
    ------
    MissingFile, NotAFile, EncodingError, FormatError, MissingExtra
    """
    source = Path(path)
    if (source / "knowledge.toml").is_file():
        source = source / "knowledge.toml"
    if source.suffix.lower() in ONTOLOGY_SUFFIXES:
        named = graph is not None and graph.entities is not None
        book = read_ontology(
            source,
            () if graph is None else relation_names(graph),
            graph.entities.names if named and graph and graph.entities else (),
            notes=notes,
        )
    else:
        book = read_book(source)
    if types:
        both = {e: tuple(dict.fromkeys((*book.types.get(e, ()), *t))) for e, t in types.items()}
        book = replace(book, types={**book.types, **both})
    return book


def read_types(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Read ``types.tsv``: entity, tab, type; an entity may have several lines.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    FormatError
        A line without exactly one tab.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        row = line.rstrip("\r").split("\t")
        if row == [""]:
            continue
        if len(row) != 2 or not all(row):
            raise FormatError(
                "not an entity and its type, separated by a tab",
                remedy="write a line such as Anna<tab>person",
                where=f"{os.fspath(path)}:{number}",
            )
        found.setdefault(row[0], []).append(row[1])
    return {entity: tuple(dict.fromkeys(types)) for entity, types in found.items()}


def mine_types(graph: KnowledgeGraph) -> tuple[dict[str, tuple[str, ...]], str]:
    """Types of entities that the facts themselves state, and the relation that states them.

    A relation called type, instance of, is a and the like does; "" where there is none.
    """
    if graph.entities is None:
        return {}, ""
    names, entities = relation_names(graph), graph.entities.names
    for r, name in enumerate(names):
        if "".join(filter(str.isalnum, name.casefold())).removeprefix("http").removeprefix(
            "wwww3org199902"
        ) in _TYPING:  # fmt: skip
            rows: Iterable[tuple[int, int, int]] = graph.triples[graph.triples[:, 1] == r].tolist()
            found: dict[str, list[str]] = {}
            for head, _, tail in rows:
                found.setdefault(entities[head], []).append(entities[tail])
            return {entity: tuple(dict.fromkeys(types)) for entity, types in found.items()}, name
    return {}, ""
