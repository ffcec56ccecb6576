"""Ontologies in RDFS and OWL, read into a knowledge book of stated axioms.

Read are ``rdfs:domain``, ``rdfs:range``, ``rdfs:subPropertyOf``, ``owl:inverseOf``,
``owl:disjointWith``, ``rdf:type`` of individuals, and the classes owl:SymmetricProperty,
TransitiveProperty, FunctionalProperty and InverseFunctionalProperty. Names are matched to those of
a graph by the whole IRI, then by its last part, then by rdfs:label.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from parsimony.errors import FormatError, MissingExtra, MissingFile
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.book import Entry, KnowledgeBook, Provenance

__all__ = ["ONTOLOGY_SUFFIXES", "read_ontology"]

ONTOLOGY_SUFFIXES = frozenset({".ttl", ".owl", ".rdf", ".nt"})
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_PROPERTY = {
    f"{_OWL}SymmetricProperty": "symmetric",
    f"{_OWL}TransitiveProperty": "transitive",
    f"{_OWL}FunctionalProperty": "functional",
    f"{_OWL}InverseFunctionalProperty": "inverse_functional",
}
_BETWEEN = {
    f"{_RDFS}domain": "domain",
    f"{_RDFS}range": "range",
    f"{_RDFS}subPropertyOf": "subrelation",
    f"{_OWL}inverseOf": "inverse",
    f"{_OWL}disjointWith": "disjoint",
}


def read_ontology(
    path: str | os.PathLike[str],
    relations: Iterable[str] = (),
    entities: Iterable[str] = (),
    *,
    notes: list[str] | None = None,
) -> KnowledgeBook:
    """Read an ontology as stated axioms and types.

    Parameters
    ----------
    path : str or path
        Turtle, N-Triples or RDF/XML.
    relations, entities : iterable of str
        Names of the graph that it is for; without any, names are the last parts of the IRIs.
    notes : list of str, optional
        What was matched how, and what was left out.

    Raises
    ------
    MissingExtra
        pyoxigraph is not installed.
    MissingFile
    FormatError
        Not RDF, or no axiom that could be read.
    """
    statements = list(_statements(Path(path)))
    labels = {s: o for s, p, o in statements if p == f"{_RDFS}label"}
    known = _Names(relations, labels), _Names(entities, labels)
    source = Provenance("stated", by=os.path.basename(os.fspath(path)))
    found: dict[Axiom, None] = {}
    types: dict[str, list[str]] = {}
    unread: Counter[str] = Counter()
    names: tuple[str | None, ...]
    for subject, predicate, object_ in statements:
        kind = _BETWEEN.get(predicate)
        if predicate == f"{_RDF}type" and object_ in _PROPERTY:
            names = (known[0](subject),)
            kind = _PROPERTY[object_]
        elif predicate == f"{_RDF}type":
            entity = known[1](subject)
            if entity is not None and not object_.startswith((_OWL, _RDFS, _RDF, "_:")):
                types.setdefault(entity, []).append(_local(object_))
            continue
        elif kind in ("domain", "range"):
            names = (known[0](subject), _class(object_, unread))
        elif kind == "disjoint":
            names = (_class(subject, unread), _class(object_, unread))
        elif kind is not None:
            names = known[0](subject), known[0](object_)
        else:
            if predicate.startswith(_OWL) or predicate == f"{_RDFS}subClassOf":
                unread[_local(predicate)] += 1
            continue
        if None not in names:
            found[Axiom(kind or "", tuple(map(str, names)))] = None
    entries = tuple(Entry(axiom, source, os.fspath(path)) for axiom in found)
    if not entries and not types:
        raise FormatError(
            "no axiom about a relation of the graph is stated there",
            remedy="name the properties as the graph names its relations, or give them labels",
            where=os.fspath(path),
        )
    if notes is not None:
        notes += known[0].notes("property", "relation")
        if unread:
            notes.append("not read: " + ", ".join(f"{k} ({n:,})" for k, n in unread.items()))
    return KnowledgeBook(entries, {entity: tuple(names) for entity, names in types.items()})


def _class(iri: str, unread: Counter[str]) -> str | None:
    if iri.startswith("_:"):
        unread["anonymous class"] += 1
        return None
    return _local(iri)


def _local(iri: str) -> str:
    return re.split(r"[#/]", iri.rstrip("#/"))[-1]


class _Names:
    """Finds the graph's own name of an IRI: the IRI itself, its last part, or its label."""

    def __init__(self, names: Iterable[str], labels: dict[str, str]) -> None:
        self.names, self.labels = set(names), labels
        self.plain = {_plain(name): name for name in sorted(self.names, reverse=True)}
        self.how: dict[str, str] = {}

    def __call__(self, iri: str) -> str | None:
        ways = {"IRI": iri, "last part": _local(iri), "label": self.labels.get(iri, "")}
        if not self.names:
            return None if iri.startswith("_:") else _local(iri)
        for how, name in ways.items():
            if name in self.names:
                self.how[iri] = how
                return name
        for how, name in ways.items():
            if _plain(name) in self.plain:
                self.how[iri] = f"{how}, but for its spelling"
                return self.plain[_plain(name)]
        self.how[iri] = ""
        return None

    def notes(self, what: str, of: str) -> list[str]:
        """Say how many names were matched in which way, and which were not."""
        if not self.names:
            return []
        ways = Counter(how for how in self.how.values() if how)
        found = [f"{n:,} by {how}" for how, n in ways.items()]
        missing = [_local(iri) for iri, how in self.how.items() if not how]
        notes = [f"matched to the graph's {of}s: {', '.join(found)}"] if found else []
        if missing:
            shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
            notes.append(f"no {of} of the graph is called {shown}: {len(missing):,} left out")
        return notes


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _statements(path: Path) -> Iterator[tuple[str, str, str]]:
    try:
        import pyoxigraph
    except ImportError:
        raise MissingExtra(
            "an ontology needs pyoxigraph", remedy="pip install 'parsimony-learning[rdf]'"
        ) from None
    if not path.is_file():
        raise MissingFile("no such file", remedy="give a Turtle or RDF/XML file", where=str(path))
    form = {".ttl": "TURTLE", ".nt": "N_TRIPLES"}.get(path.suffix.lower(), "RDF_XML")
    if path.suffix.lower() == ".owl" and not path.read_bytes()[:2000].lstrip().startswith(b"<?xml"):
        form = "RDF_XML" if path.read_bytes().lstrip()[:4] == b"<rdf" else "TURTLE"

    def name(term: Any) -> str:
        return str(term) if isinstance(term, pyoxigraph.BlankNode) else str(term.value)

    try:
        for quad in pyoxigraph.parse(path=str(path), format=getattr(pyoxigraph.RdfFormat, form)):
            yield name(quad.subject), name(quad.predicate), name(quad.object)
    except (SyntaxError, ValueError) as error:
        raise FormatError(
            f"not RDF: {str(error)[:200]}",
            remedy="write Turtle (.ttl) or RDF/XML (.owl, .rdf)",
            where=str(path),
        ) from None
