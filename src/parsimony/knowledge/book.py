"""The knowledge book: rules, axioms, a symbol, a formula and types, each with its provenance.

A TOML file that a person reads, checks, edits and gives back; every run writes one as
``knowledge.toml``::

    schema = 1
    rules = [
        "0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)",
        { text = "uncle(X,Y) <- brother(X,A), parent(A,Y)", origin = "stated", by = "A. Person" },
    ]
    axioms = ["1.00  120/120  symmetric(married_to)"]

    [provenance]
    origin = "mined"
    data = "3f2a…"

    [types]
    Anna = ["person"]

An entry written as a bare string has the book's provenance if it has evidence, and is stated by a
person if it has none. Plain files of rules and axioms, one per line, are books of stated entries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import tomli_w

from parsimony.decoding.documents import parse_toml
from parsimony.decoding.files import read_text
from parsimony.errors import FormatError, UnknownRelation
from parsimony.knowledge.axioms import KINDS, Axiom, parse_axiom
from parsimony.knowledge.formula import Formula
from parsimony.knowledge.rules import Rule, parse_rule
from parsimony.knowledge.symbol import Symbol
from parsimony.run.atomic import write_atomic

__all__ = ["SCHEMA", "Entry", "KnowledgeBook", "Origin", "Provenance", "read_book", "write_book"]

SCHEMA = 1
Origin = Literal["mined", "distilled", "stated"]
_AXIOM = tuple(f"{kind}(" for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an entry comes from: who asserts it, from which data and run, how good, and when."""

    origin: Origin = "stated"
    data: str = ""
    run: str = ""
    metric: str = ""
    date: str = ""
    by: str = ""

    def as_table(self) -> dict[str, str]:
        """Return the fields that are known."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule or an axiom with its provenance; ``line`` is where its file has it, if known."""

    item: Rule | Axiom
    provenance: Provenance = Provenance()
    line: str = field(default="", compare=False)

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations that the entry mentions, the one it is about first."""
        if isinstance(self.item, Axiom):
            return self.item.relations
        atoms = (self.item.head, *self.item.body)
        return tuple(dict.fromkeys(atom.relation for atom in atoms))


@dataclass(frozen=True)
class KnowledgeBook:
    """Knowledge as entries of text.

    Parameters
    ----------
    entries : tuple of Entry
        Rules and axioms.
    types : mapping of str to tuple of str
        Entity → its types.
    symbol, formula
        At most one each.
    """

    entries: tuple[Entry, ...] = ()
    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    symbol: Symbol | None = None
    formula: Formula | None = None

    @classmethod
    def of_rules(
        cls, rules: Iterable[Rule], origin: Origin = "mined", **provenance: str
    ) -> KnowledgeBook:
        """Return the book of some rules with one provenance."""
        source = Provenance(origin, **provenance)
        return cls(tuple(Entry(rule, source) for rule in rules))

    @property
    def rules(self) -> list[Rule]:
        """The rules, in the book's order."""
        return [e.item for e in self.entries if isinstance(e.item, Rule)]

    @property
    def axioms(self) -> list[Axiom]:
        """The axioms, in the book's order."""
        return [e.item for e in self.entries if isinstance(e.item, Axiom)]

    def about(self, relation: str) -> KnowledgeBook:
        """Return the entries that conclude a relation: rules for it, axioms that mention it."""

        def concludes(entry: Entry) -> bool:
            if isinstance(entry.item, Axiom):
                return relation in entry.item.relations
            return entry.item.head.relation == relation

        return replace(self, entries=tuple(filter(concludes, self.entries)))

    def check_relations(self, relations: Iterable[str]) -> None:
        """Require that every relation is one of a graph's.

        Raises
        ------
        UnknownRelation
            With the nearest name, and the entry's place in its file.
        """
        known = dict.fromkeys(relations)
        for entry in self.entries:
            for name in entry.relations:
                if name not in known:
                    raise UnknownRelation.of(name, known, where=entry.line or str(entry.item))

    def as_table(self) -> dict[str, Any]:
        """Return what :func:`write_book` writes as TOML."""
        usual = _most_frequent(e.provenance for e in self.entries)
        table: dict[str, Any] = {"schema": SCHEMA}
        for name, kind in (("rules", Rule), ("axioms", Axiom)):
            rows = [_row(e, usual) for e in self.entries if isinstance(e.item, kind)]
            if rows:
                table[name] = rows
        if usual is not None:
            table["provenance"] = usual.as_table()
        if self.symbol is not None:
            table["symbol"] = self.symbol.to_dict()
        if self.formula is not None:
            table["formula"] = {"positions": str(self.formula).split("; ")}
        if self.types:
            table["types"] = {name: list(types) for name, types in self.types.items()}
        return table


def _most_frequent(sources: Iterable[Provenance]) -> Provenance | None:
    counts: dict[Provenance, int] = {}
    for source in sources:
        counts[source] = counts.get(source, 0) + 1
    return max(counts, key=counts.__getitem__) if counts else None


def _row(entry: Entry, usual: Provenance | None) -> str | dict[str, str]:
    bare = entry.item.is_counted or entry.item.confidence > 0
    if entry.provenance == (usual if bare else Provenance()):
        return str(entry.item)
    return {"text": str(entry.item), **entry.provenance.as_table()}


def write_book(book: KnowledgeBook, path: str | os.PathLike[str]) -> None:
    """Write a book as TOML, atomically."""
    write_atomic(os.fspath(path), tomli_w.dumps(book.as_table(), multiline_strings=False))


def read_book(path: str | os.PathLike[str]) -> KnowledgeBook:
    """Read a book: a TOML file, or a text file of rules and axioms, one per line.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    FormatError
        ``where`` names the file and the line, or the entry: not TOML, a newer schema, an entry
        that is neither rule nor axiom, or nothing at all.
    """
    where, text = os.fspath(path), read_text(path)
    if not where.endswith(".toml"):
        entries = tuple(
            _entry(line.strip(), Provenance(), f"{where}:{number}")
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip() and not line.strip().startswith("#")
        )
        book = KnowledgeBook(entries)
    else:
        book = book_from_table(parse_toml(text, where, remedy="correct that line"), where)
    if not (book.entries or book.symbol or book.formula or book.types):
        raise FormatError(
            "no rules and no axioms",
            remedy='write rules = ["uncle(X,Y) <- brother(X,A), father(A,Y)"] or axioms',
            where=where,
        )
    return book


def book_from_table(table: Mapping[str, Any], where: str) -> KnowledgeBook:
    """Return the book that a table of TOML holds; see :func:`read_book`."""
    schema = table.get("schema", 0)
    if not isinstance(schema, int) or not 0 <= schema <= SCHEMA:
        raise FormatError(
            f"the book has schema {schema!r}; this version reads up to {SCHEMA}",
            remedy="install a newer version of parsimony-learning",
            where=where,
        )
    usual = _provenance(table.get("provenance", {"origin": "mined"}), f"{where}: [provenance]")
    entries = [
        entry
        for name, parse in (("rules", parse_rule), ("axioms", parse_axiom))
        for entry in _entries(table.get(name, []), parse, usual, f"{where}: {name}")
    ]
    symbol, formula = table.get("symbol"), table.get("formula")
    positions = formula.get("positions") if isinstance(formula, Mapping) else formula
    return KnowledgeBook(
        tuple(entries),
        _types(table.get("types", {}), f"{where}: [types]"),
        Symbol.parse(symbol, where=where)
        if isinstance(symbol, str)
        else None
        if symbol is None
        else Symbol.from_dict(symbol, where=where),
        None
        if positions is None
        else Formula.parse(positions if isinstance(positions, str) else "\n".join(positions)),
    )


def _entries(
    rows: Any, parse: Callable[..., Rule | Axiom], usual: Provenance, where: str
) -> Iterator[Entry]:
    if not isinstance(rows, list):
        raise FormatError("is no list", remedy='write ["…", "…"]', where=where)
    for number, row in enumerate(rows, start=1):
        place = f"{where}[{number}]"
        if isinstance(row, str):
            item = parse(row, where=place)
            bare = item.is_counted or item.confidence > 0
            yield Entry(item, usual if bare else Provenance(), place)
        elif isinstance(row, dict) and isinstance(row.get("text"), str):
            own = {key: value for key, value in row.items() if key != "text"}
            yield Entry(parse(row["text"], where=place), _provenance(own, place), place)
        else:
            raise FormatError(
                "is neither text nor a table with text", remedy='write { text = "…" }', where=place
            )


def _entry(line: str, source: Provenance, where: str) -> Entry:
    """Parse a line of a plain file: an axiom if it begins with one, else a rule."""
    if "<-" not in line and any(start in line for start in _AXIOM):
        return Entry(parse_axiom(line, where=where), source, where)
    return Entry(parse_rule(line, where=where), source, where)


def _provenance(table: Any, where: str) -> Provenance:
    known = {f.name for f in fields(Provenance)}
    if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
        raise FormatError("provenance is no table of text", remedy='origin = "stated"', where=where)
    if unknown := sorted(set(table) - known):
        raise FormatError(
            f"unknown {', '.join(unknown)}", remedy=f"use {', '.join(sorted(known))}", where=where
        )
    source = Provenance(**table)
    if source.origin not in get_args(Origin):
        raise FormatError(
            f"origin {source.origin!r}", remedy=f"use one of {', '.join(get_args(Origin))}",
            where=where,
        )  # fmt: skip
    return source


def _types(table: Any, where: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for entity, types in table.items() if isinstance(table, dict) else [("", table)]:
        if not isinstance(types, list) or not all(isinstance(t, str) for t in types):
            raise FormatError(
                f"the types of {entity!r} are no list of names", remedy='Anna = ["person"]',
                where=where,
            )  # fmt: skip
        found[entity] = tuple(types)
    return found
