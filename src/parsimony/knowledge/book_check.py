"""Books against facts and against each other: measure again, contradictions, diff, merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from parsimony.errors import FormatError
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.knowledge.axiom_counts import AxiomCounter
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.book import Entry, KnowledgeBook
from parsimony.knowledge.rule_counts import count_rules, relation_names
from parsimony.knowledge.rules import Atom, Rule

__all__ = [
    "Checked",
    "aligned",
    "check_book",
    "conflicts",
    "contradictions",
    "diff_books",
    "merge_books",
    "require_acyclic",
]

Verdict = Literal["holds", "weaker", "broken", "not applicable"]
WEAKER = 0.1  # a confidence that falls by more than this


class Checked(NamedTuple):
    """An entry, the same measured on other facts, and what that says."""

    entry: Entry
    measured: Rule | Axiom
    verdict: Verdict


def check_book(book: KnowledgeBook, graph: KnowledgeGraph) -> list[Checked]:
    """Measure every entry on a graph.

    An entry *holds* if its confidence there is at most .1 lower (than 1, where it has none), is
    *broken* where it fell to less than half, *weaker* between, and *not applicable* where the
    graph lacks its relations or types, or nothing it speaks of.
    """
    counter = AxiomCounter(graph, book.types)
    entities = None if graph.entities is None else set(graph.entities.names)

    def countable(rule: Rule) -> bool:
        terms = [t for atom in (rule.head, *rule.body) for t in atom.terms]
        names = [t.name for t in terms if not isinstance(t, str)]
        return all(a.relation in counter.ids for a in (rule.head, *rule.body)) and (
            not names or (entities is not None and entities.issuperset(names))
        )

    rules = [e.item for e in book.entries if isinstance(e.item, Rule) and countable(e.item)]
    counted = iter(count_rules(rules, graph))
    found = []
    for entry in book.entries:
        item = entry.item
        if isinstance(item, Axiom):
            measured: Rule | Axiom = counter.count(item)
        elif countable(item):
            measured = next(counted)
        else:
            measured = item.with_counts(0, 0)
        found.append(Checked(entry, measured, _verdict(item, measured)))
    return found


def _verdict(before: Rule | Axiom, now: Rule | Axiom) -> Verdict:
    if not now.is_counted:
        return "not applicable"
    claimed = before.confidence or 1.0
    if now.confidence >= claimed - WEAKER:
        return "holds"
    return "broken" if now.confidence < claimed / 2 else "weaker"


def contradictions(
    book: KnowledgeBook, graph: KnowledgeGraph, *, examples: int = 3
) -> list[dict[str, Any]]:
    """What of a book's stated axioms the facts break, the most often broken first.

    Returns
    -------
    list of dict
        ``text`` of the axiom, ``broken`` and ``of`` (how often, of how often it could hold),
        ``examples`` (names), ``sentence``.
    """
    counter, found = AxiomCounter(graph, book.types), []
    entities = None if graph.entities is None else graph.entities.names

    def name(i: int) -> str:
        return str(i) if entities is None else entities[i]

    for entry in book.entries:
        if not isinstance(entry.item, Axiom) or entry.provenance.origin != "stated":
            continue
        broken = counter.exceptions(entry.item)
        if len(broken):
            unit = "entities" if (broken[0, 1] == -1) else "pairs"
            of = counter.count(entry.item).body_count
            some = [
                " – ".join(name(int(i)) for i in row if i >= 0) for row in broken[:examples]
            ]  # fmt: skip
            found.append(
                {
                    "text": entry.item.clause, "broken": len(broken), "of": of, "examples": some,
                    "sentence": f"{entry.item.clause} is stated: {len(broken):,} of {of:,} {unit} "
                    f"break it, such as {'; '.join(some)}",
                }
            )  # fmt: skip
    return sorted(found, key=lambda row: -row["broken"])


def conflicts(book: KnowledgeBook) -> list[str]:
    """Say which axioms of a book leave a relation no fact, as sentences.

    Symmetric with a disjoint domain and range; two domains, or two ranges, that are disjoint.
    """
    axioms = book.axioms
    apart = {frozenset(axiom.terms) for axiom in axioms if axiom.kind == "disjoint"}
    symmetric = {axiom.terms[0] for axiom in axioms if axiom.kind == "symmetric"}
    typing = [axiom for axiom in axioms if axiom.kind in ("domain", "range")]
    found = []
    for i, one in enumerate(typing):
        for other in typing[i + 1 :]:
            relation = one.terms[0]
            meet = one.kind == other.kind or relation in symmetric
            types = frozenset((one.terms[1], other.terms[1]))
            if relation == other.terms[0] and meet and types in apart:
                why = "" if one.kind == other.kind else f", symmetric({relation})"
                found.append(
                    f"{one.clause}, {other.clause}{why} and disjoint({', '.join(sorted(types))}) "
                    f"together allow no fact of {relation}"
                )
    return found


def require_acyclic(book: KnowledgeBook) -> None:
    """Require that no relation is, by others, a sub-relation of itself.

    Raises
    ------
    FormatError
        Names the cycle and the place of one of its entries.
    """
    above: dict[str, list[tuple[str, Entry]]] = {}
    for entry in book.entries:
        if isinstance(entry.item, Axiom) and entry.item.kind == "subrelation":
            below, upper = entry.item.terms
            above.setdefault(below, []).append((upper, entry))
    done: set[str] = set()

    def visit(relation: str, path: tuple[str, ...]) -> None:
        if relation in done:
            return
        for upper, entry in above.get(relation, ()):
            if upper in (*path, relation):
                cycle = [*path, relation, upper]
                raise FormatError(
                    f"sub-relations go round: {' → '.join(cycle[cycle.index(upper) :])}",
                    remedy="remove one of them; where two relations mean the same, write one of "
                    "them in the facts",
                    where=entry.line or str(entry.item),
                )
            visit(upper, (*path, relation))
        done.add(relation)

    for relation in above:
        visit(relation, ())


def aligned(book: KnowledgeBook, names: Mapping[str, str]) -> KnowledgeBook:
    """Return the book with its relations renamed; those without a new name keep theirs."""

    def other(atom: Atom) -> Atom:
        return replace(atom, relation=names.get(atom.relation, atom.relation))

    def renamed(item: Rule | Axiom) -> Rule | Axiom:
        if isinstance(item, Rule):
            return replace(item, head=other(item.head), body=tuple(map(other, item.body)))
        n = len(item.relations)
        terms = (*(names.get(r, r) for r in item.relations), *item.terms[n:])
        return replace(item, terms=terms)

    return replace(book, entries=tuple(replace(e, item=renamed(e.item)) for e in book.entries))


def _key(item: Rule | Axiom) -> tuple[str, str]:
    if isinstance(item, Axiom):
        return "axiom", item.clause
    return "rule", item.canonical().clause


def _distinct(entries: Iterable[Entry]) -> dict[tuple[str, str], Entry]:
    """Entries by what they say; of two the stated one, then the one with more support."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        rival = found.setdefault(_key(entry.item), entry)
        if _weight(entry) > _weight(rival):
            found[_key(entry.item)] = entry
    return found


def _weight(entry: Entry) -> tuple[bool, int, float]:
    return entry.provenance.origin == "stated", entry.item.support, entry.item.confidence


def diff_books(before: KnowledgeBook, after: KnowledgeBook) -> dict[str, list[Any]]:
    """Return what differs: ``added``, ``removed`` (texts), ``changed`` (pairs of texts)."""
    old, new = _distinct(before.entries), _distinct(after.entries)
    return {
        "added": [str(new[key].item) for key in new if key not in old],
        "removed": [str(old[key].item) for key in old if key not in new],
        "changed": [
            [str(old[key].item), str(new[key].item)]
            for key in old
            if key in new and _evidence(old[key].item) != _evidence(new[key].item)
        ],
    }


def _evidence(item: Rule | Axiom) -> tuple[int, int, float]:
    return item.support, item.body_count, item.confidence


def merge_books(books: Iterable[KnowledgeBook], notes: list[str] | None = None) -> KnowledgeBook:
    """Join books: every entry once, stated before measured, then the one with more support.

    Symbol and formula are those of the first book that has one; another is noted.
    """
    books = list(books)
    entries = _distinct(entry for book in books for entry in book.entries)
    types: dict[str, tuple[str, ...]] = {}
    for book in books:
        for entity, names in book.types.items():
            types[entity] = tuple(dict.fromkeys((*types.get(entity, ()), *names)))
    several = sum(len(book.entries) for book in books) - len(entries)
    if notes is not None and several:
        notes.append(f"{several:,} entries stand in more than one book: the better known is kept")
    found = {}
    for what in ("symbol", "formula"):
        of = list(dict.fromkeys(v for v in (getattr(b, what) for b in books) if v is not None))
        found[what] = of[0] if of else None
        if len(of) > 1 and notes is not None:
            notes.append(f"the books have {len(of)} different {what}s: the first is kept")
    return KnowledgeBook(tuple(entries.values()), types, **found)


def of_vocabulary(book: KnowledgeBook, graph: KnowledgeGraph) -> None:
    """Require that a book speaks of a graph's relations, and does not go round.

    Raises
    ------
    UnknownRelation
        With the nearest name and the entry's place.
    FormatError
        Sub-relations in a cycle.
    """
    book.check_relations(relation_names(graph))
    require_acyclic(book)
