"""The book of a run with a person's edits: added, changed and forgotten entries.

The run stays as it is. Edits are a file of their own, ``HASH.toml`` in the folder that was named
for them, written atomically at every change; without such a folder they last as long as the server.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from parsimony.decoding.documents import checked, read_toml
from parsimony.errors import FormatError, UnknownParameter
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.axioms import Axiom, parse_axiom
from parsimony.knowledge.book import Entry, KnowledgeBook, Provenance
from parsimony.knowledge.book_check import Checked, check_book
from parsimony.knowledge.rules import parse_rule
from parsimony.run.atomic import cannot_write, write_atomic

__all__ = ["EditedBook"]

_REMEDY = "mend or remove the file of edits"
MOST_EDITS = 2000
_SORTS = ("confidence", "support", "relation", "text")


@dataclass(frozen=True)
class _Row:
    id: str
    entry: Entry
    edited: bool


class EditedBook:
    """A run's book and what a person changed of it.

    Parameters
    ----------
    book
        Of the run.
    graph
        On which entries are measured.
    path
        The file of the edits; None: they are not kept.
    """

    def __init__(
        self, book: KnowledgeBook, graph: KnowledgeGraph, path: Path | None = None
    ) -> None:
        self.book, self.graph, self.path = book, graph, path
        self._added: dict[str, Entry] = {}
        self._forgotten: set[str] = set()
        self._lock = threading.Lock()
        if path is not None and path.exists():
            kept = checked(
                dict[str, list[str]], read_toml(path, remedy=_REMEDY), str(path), remedy=_REMEDY
            )
            for text in kept.get("added", []):
                entry = _entry(text, str(path))
                self._added[_id(entry)] = entry
            self._forgotten = set(kept.get("forgotten", []))

    @property
    def version(self) -> str:
        """A hash of the edits, the same in every server that has them."""
        text = repr(([str(e.item) for e in self._added.values()], sorted(self._forgotten)))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    # ---- reading -----------------------------------------------------------------------------

    def _rows(self) -> list[_Row]:
        own = [_Row(_id(entry), entry, False) for entry in self.book.entries]
        rows = [row for row in own if row.id not in self._forgotten | self._added.keys()]
        return [_Row(id, entry, True) for id, entry in self._added.items()] + rows

    def effective(self) -> KnowledgeBook:
        """The book with the edits."""
        entries = tuple(row.entry for row in self._rows())
        return KnowledgeBook(entries, self.book.types, self.book.symbol, self.book.formula)

    def shown(
        self, relation: str | None, q: str, sort: str, offset: int, limit: int
    ) -> dict[str, Any]:
        """See :class:`parsimony.web.models.BookShown`.

        Raises
        ------
        UnknownParameter
            No such order.
        """
        if sort not in _SORTS:
            raise UnknownParameter(f"no order {sort!r}", remedy=f"one of {', '.join(_SORTS)}")
        wanted = q.casefold()
        rows = [
            row for row in self._rows()
            if relation in (None, row.entry.relations[0])
            and wanted in row.entry.item.clause.casefold()
        ]  # fmt: skip
        rows.sort(key=lambda row: (_order(row.entry, sort), row.entry.item.clause))
        gone = [_Row(_id(e), e, True) for e in self.book.entries if _id(e) in self._forgotten]
        texts = {
            name: None if part is None else str(part)
            for name, part in (("symbol", self.book.symbol), ("formula", self.book.formula))
        }
        return {
            "entries": [_shown(row) for row in rows[offset : offset + limit]],
            "total": len(rows),
            "edits": len(self._added) + len(self._forgotten),
            "forgotten": [_shown(row) for row in gone],
            **texts,
            "notes": [] if self.path is not None else [
                "edits last as long as this server: it was started without a folder for them"
            ],
        }  # fmt: skip

    def file(self) -> bytes:
        """The book with the edits as a file that ``fit --knowledge`` takes."""
        return tomli_w.dumps(self.effective().as_table(), multiline_strings=False).encode()

    def measure(self, text: str) -> dict[str, Any]:
        """An entry measured on the graph; see :class:`parsimony.web.models.Measured`."""
        return _measured(self._check(_entry(text, "the entry")))

    # ---- editing -----------------------------------------------------------------------------

    def add(self, text: str, replaces: str | None = None) -> dict[str, Any]:
        """Add an entry, in place of another if one is named, with its evidence on the graph.

        Raises
        ------
        FormatError
            Neither a rule nor an axiom, or too many edits.
        UnknownRelation
            With the nearest name.
        UnknownParameter
            No entry of that id.
        """
        entry = _entry(text, "the entry")
        measured = self._check(entry)
        if not entry.item.is_counted:
            entry = Entry(measured.measured, Provenance("stated"))
        with self._lock:
            added, forgotten = dict(self._added), set(self._forgotten)
            if replaces is not None:
                self._forget(replaces, added, forgotten)
            added[_id(entry)] = entry
            forgotten.discard(_id(entry))
            self._keep(added, forgotten)
        return _shown(_Row(_id(entry), entry, True)) | {"verdict": measured.verdict}

    def forget(self, id: str) -> dict[str, Any]:
        """Leave an entry out; one of the run that was left out already is taken in again."""
        with self._lock:
            added, forgotten = dict(self._added), set(self._forgotten)
            back = id in forgotten
            if back:
                forgotten.discard(id)
            else:
                self._forget(id, added, forgotten)
            self._keep(added, forgotten)
        return {"id": id, "forgotten": not back}

    def _forget(self, id: str, added: dict[str, Entry], forgotten: set[str]) -> None:
        own = {_id(entry) for entry in self.book.entries}
        if id not in own and id not in added:
            raise UnknownParameter("the book has no entry of that id", remedy="list the book again")
        added.pop(id, None)
        if id in own:
            forgotten.add(id)

    def _keep(self, added: dict[str, Entry], forgotten: Iterable[str]) -> None:
        forgotten = set(forgotten)
        if len(added) + len(forgotten) > MOST_EDITS:
            raise FormatError(
                f"more than {MOST_EDITS:,} edits", remedy="fit a run with the book as it is now"
            )
        if self.path is not None:
            table = {
                "added": [str(entry.item) for entry in added.values()],
                "forgotten": sorted(forgotten),
            }
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(self.path.parent, error) from error
            write_atomic(self.path, tomli_w.dumps(table))
        self._added, self._forgotten = added, forgotten

    def _check(self, entry: Entry) -> Checked:
        names = [] if self.graph.relations is None else self.graph.relations.names
        KnowledgeBook((entry,)).check_relations(names)
        return check_book(KnowledgeBook((entry,), self.book.types), self.graph)[0]


def _entry(text: str, where: str) -> Entry:
    line = text.strip()
    if "\n" in line or "\r" in line:
        raise FormatError("an entry is one line", remedy="leave the line break out", where=where)
    item = parse_rule(line, where=where) if "<-" in line else parse_axiom(line, where=where)
    return Entry(item, Provenance("stated"))


def _id(entry: Entry) -> str:
    return hashlib.sha256(entry.item.clause.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _order(entry: Entry, sort: str) -> Any:
    item = entry.item
    return {
        "confidence": -item.confidence, "support": -item.support,
        "relation": entry.relations[0], "text": item.clause,
    }[sort]  # fmt: skip


def _shown(row: _Row) -> dict[str, Any]:
    item = row.entry.item
    return {
        "id": row.id,
        "kind": "axiom" if isinstance(item, Axiom) else "rule",
        "text": str(item),
        "clause": item.clause,
        "relation": row.entry.relations[0],
        "support": item.support,
        "of": item.body_count,
        "confidence": item.confidence,
        "origin": row.entry.provenance.origin,
        "edited": row.edited,
    }


def _measured(found: Checked) -> dict[str, Any]:
    return {
        "text": str(found.entry.item),
        "measured": str(found.measured),
        "support": found.measured.support,
        "of": found.measured.body_count,
        "confidence": found.measured.confidence,
        "verdict": found.verdict,
    }
