"""What is known after a round: entries with where they come from and what held-out facts say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule
from parsimony.knowledge.axiom_counts import AxiomCounter, mine_axioms
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.book import Entry, KnowledgeBook, Provenance
from parsimony.knowledge.book_check import merge_books
from parsimony.knowledge.held_out import HeldOutCheck
from parsimony.knowledge.sources import mine_types

__all__ = ["Kept", "distilled_book", "mined_book", "told"]

#: evidence with which a mined rule is believed before anything was learned
MIN_SUPPORT, MIN_CONFIDENCE = 3, 0.05
#: entries of a kind that are told with their text
TOLD = 200


def mined_book(
    pool: Iterable[Rule],
    graph: KnowledgeGraph,
    known: KnowledgeBook,
    data: str,
    *,
    stop: Callable[[], bool],
    notes: list[str],
) -> KnowledgeBook:
    """The book of the first round: what is known, axioms and well-supported rules of the facts.

    No further axiom is looked for once ``stop`` says so, which is noted.
    """
    types = dict(known.types) or mine_types(graph)[0]
    axioms = mine_axioms(AxiomCounter(graph, types), stop=stop, notes=notes)
    rules = [r for r in pool if r.support >= MIN_SUPPORT and r.confidence >= MIN_CONFIDENCE]
    source = Provenance("mined", data=data, by="round 1", date=date.today().isoformat())
    items: list[Rule | Axiom] = [*axioms, *rules]
    mined = KnowledgeBook(tuple(Entry(item, source) for item in items))
    used = {name for axiom in axioms for name in axiom.types}
    own = {e: t for e, names in types.items() if (t := tuple(n for n in names if n in used))}
    return merge_books([known, replace(mined, types={**own, **known.types})])


def distilled_book(
    rules: Sequence[Rule], method: str, number: int, data: str, *, counted: bool
) -> KnowledgeBook:
    """The rules that a model was distilled to, with their weights or, ``counted``, evidence."""
    by = f"{method}, round {number}"
    source = Provenance("distilled", data=data, by=by, date=date.today().isoformat())
    if counted:
        rules = [r.with_counts(r.support, r.body_count) for r in rules if r.is_counted]
    return KnowledgeBook(tuple(Entry(rule, source) for rule in rules))


class Kept:
    """What is kept of a book that was checked: all but what broke; a person's entries all.

    Attributes
    ----------
    book
        What is kept, each entry with the held-out facts that it found.
    verdicts
        How many entries got which.
    all_kept, new, dropped, defended
        Checks of the entries kept, of those that the book of before does not have, of those that
        were dropped, and of those that broke, but are stated.
    changed
        Whether another round would start from another book.
    """

    def __init__(self, checks: Sequence[HeldOutCheck], before: KnowledgeBook) -> None:
        had = {entry.item.clause for entry in before.entries}
        self.all_kept = kept = [check for check in checks if not _falls(check)]
        self.verdicts = dict(Counter(check.verdict for check in checks))
        self.book = replace(before, entries=tuple(map(_with_evidence, kept)))
        self.new = [check for check in kept if check.entry.item.clause not in had]
        self.dropped = [check for check in checks if _falls(check)]
        self.changed = bool(self.new) or any(c.entry.item.clause in had for c in self.dropped)
        self.defended = [
            check for check in checks if check.verdict == "broken" and not _falls(check)
        ]


def _falls(check: HeldOutCheck) -> bool:
    return check.verdict == "broken" and check.entry.provenance.origin != "stated"


def _with_evidence(check: HeldOutCheck) -> Entry:
    said = f"{check.hits:,} held-out, {check.expected:.1f} expected: {check.verdict}"
    return replace(check.entry, provenance=replace(check.entry.provenance, metric=said))


def told(checks: Iterable[HeldOutCheck]) -> list[dict[str, Any]]:
    """Entries as rows: rules by their hits, then axioms."""
    ranked = sorted(
        checks,
        key=lambda c: (isinstance(c.entry.item, Axiom), -c.hits, -c.expected, c.entry.item.clause),
    )
    return [
        {
            "text": str(check.entry.item), "origin": check.entry.provenance.origin,
            "by": check.entry.provenance.by, "hits": check.hits,
            "expected": round(check.expected, 2), "verdict": check.verdict,
        }
        for check in ranked[:TOLD]
    ]  # fmt: skip
