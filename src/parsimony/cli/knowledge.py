"""``parsimony knowledge``: books of rules and axioms: read, mine, compare, join, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parsimony.cli.command_group import CommandGroup, Output
from parsimony.cli.options import Columns, Json, Mirror, Quiet, Seed, check_output, parse_columns
from parsimony.cli.tables import table
from parsimony.errors import FormatError, UsageError

if TYPE_CHECKING:
    from parsimony.graph.knowledge_graph import KnowledgeGraph
    from parsimony.knowledge.book import KnowledgeBook

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    help="Books of rules and axioms: show, mine, diff, merge, check.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Book = Annotated[
    str,
    typer.Argument(
        metavar="BOOK", help="A book (.toml), rules and axioms as text, a run, or an ontology."
    ),
]
Relation = Annotated[
    str | None, typer.Option("--relation", metavar="R", help="Only what concludes relation R.")
]
BookOut = Annotated[
    Path | None, typer.Option("--out", metavar="BOOK.toml", help="Write the book there.")
]


@app.command("show")
def show(
    book: Book,
    relation: Relation = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Most entries shown.")] = 100,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a book: rules and axioms with their evidence and where they come from."""
    out = Output(as_json, quiet)
    notes: list[str] = []
    known = _read(book, None, relation, notes)
    _shown(out, known, notes, top)


@app.command("mine")
def mine(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A dataset to look at.")],
    relation: Relation = None,
    min_support: Annotated[
        int, typer.Option("--min-support", min=1, help="How often an axiom must hold.")
    ] = 10,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", min=0, max=1, help="Of how often it could.")
    ] = 0.95,
    top: Annotated[int, typer.Option("--top", min=1, help="Most entries shown.")] = 100,
    file: BookOut = None,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Mine axioms from the training facts: candidates with their evidence, for you to judge."""
    out = Output(as_json, quiet)
    check_output(file)
    from datetime import date

    from parsimony.knowledge.axiom_counts import AxiomCounter, mine_axioms
    from parsimony.knowledge.book import Entry, KnowledgeBook, Provenance, write_book
    from parsimony.knowledge.sources import mine_types

    graph, types, notes = _graph(data, "train", mirror, columns, seed)
    if not types:
        types, by = mine_types(graph)
        if by:
            notes.append(f"types are those that the facts state by {by!r}")
        else:
            notes.append("no types.tsv, and no relation that states types: no domain, range")
    if relation is not None:
        _check_relation(graph, relation)
    found = mine_axioms(
        AxiomCounter(graph, types),
        min_support=min_support, min_confidence=min_confidence, relation=relation, notes=notes,
    )  # fmt: skip
    source = Provenance("mined", data=graph.content_hash, date=date.today().isoformat())
    used = {t for axiom in found for t in axiom.types}
    kept = {e: own for e, names in types.items() if (own := tuple(t for t in names if t in used))}
    book = KnowledgeBook(tuple(Entry(axiom, source) for axiom in found), kept)
    if file is not None:
        write_book(book, file)
    _shown(out, book, notes, top)


@app.command("diff")
def diff(before: Book, after: Book, as_json: Json = False, quiet: Quiet = False) -> None:
    """Compare two books: entries added, removed, and those whose evidence changed."""
    out = Output(as_json, quiet)
    from parsimony.knowledge.book_check import diff_books

    notes: list[str] = []
    found = diff_books(_read(before, None, None, notes), _read(after, None, None, notes))
    lines = [f"+ {text}" for text in found["added"]] + [f"- {text}" for text in found["removed"]]
    for old, new in found["changed"]:
        lines += [f"~ {old}", f"  {new}"]
    said = f"{len(found['added']):,} added, {len(found['removed']):,} removed, "
    out.result(
        found | {"notes": notes}, *lines, said + f"{len(found['changed']):,} with other evidence"
    )


@app.command("merge")
def merge(
    books: Annotated[list[str], typer.Argument(metavar="BOOK BOOK …", help="Books to join.")],
    file: Annotated[Path, typer.Option("--out", metavar="BOOK.toml", help="Where to write it.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Join books: what is stated stays, of equal entries the one with more support is kept."""
    out = Output(as_json, quiet)
    check_output(file)
    from parsimony.knowledge.book import write_book
    from parsimony.knowledge.book_check import conflicts, merge_books, require_acyclic

    notes: list[str] = []
    joined = merge_books([_read(book, None, None, notes) for book in books], notes)
    require_acyclic(joined)
    notes += conflicts(joined)
    write_book(joined, file)
    for note in notes:
        out.note(note)
    counts = {"rules": len(joined.rules), "axioms": len(joined.axioms)}
    out.result(
        {"out": str(file), **counts, "notes": notes},
        f"{counts['rules']:,} rules and {counts['axioms']:,} axioms in {file}",
    )


@app.command("check")
def check(
    book: Book,
    data: Annotated[str, typer.Argument(metavar="DATA", help="The facts to measure it on.")],
    split: Annotated[
        str,
        typer.Option(
            "--split",
            metavar="train|valid|all",
            help="The facts of a split; valid: held-out facts alone.",
        ),
    ] = "train",
    align: Annotated[
        Path | None,
        typer.Option(
            "--align", metavar="FILE", help="Two columns: relation of the book, tab, of DATA."
        ),
    ] = None,
    relation: Relation = None,
    file: BookOut = None,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Measure every entry of a book on a graph, and list what contradicts the facts."""
    out = Output(as_json, quiet)
    check_output(file)
    from collections import Counter
    from dataclasses import replace

    from parsimony.knowledge.book import write_book
    from parsimony.knowledge.book_check import (
        aligned,
        check_book,
        conflicts,
        contradictions,
        of_vocabulary,
        require_acyclic,
    )

    graph, types, notes = _graph(data, split, mirror, columns, seed)
    known = _read(book, graph, None, notes, types)
    if align is not None:
        known = aligned(known, _alignment(align))
    if relation is not None:
        known = known.about(relation)
    if align is None:
        of_vocabulary(known, graph)
    else:
        require_acyclic(known)
    checked = check_book(known, graph)
    notes += conflicts(known)
    broken = contradictions(known, graph)
    counts = Counter(row.verdict for row in checked)
    if file is not None:
        measured = tuple(replace(row.entry, item=row.measured) for row in checked)
        write_book(replace(known, entries=measured), file)
    for note in notes:
        out.note(note)
    rows = [
        {
            "text": str(row.entry.item), "measured": str(row.measured),
            "support": row.measured.support, "of": row.measured.body_count,
            "confidence": row.measured.confidence, "verdict": row.verdict,
            "origin": row.entry.provenance.origin,
        }
        for row in checked
    ]  # fmt: skip
    out.result(
        {"entries": rows, "counts": dict(counts), "contradictions": broken, "notes": notes},
        table(
            ["verdict", "claimed", "here", "entry"],
            [
                [row.verdict, _evidence(row.entry.item), _evidence(row.measured), _clause(row)]
                for row in checked
            ],
        ),
        *(row["sentence"] for row in broken),
        "; ".join(f"{verdict}: {n:,}" for verdict, n in counts.items()),
    )


@app.command("import")
def import_(
    ontology: Annotated[
        str, typer.Argument(metavar="ONTOLOGY", help="OWL or RDFS: Turtle, N-Triples or RDF/XML.")
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="The graph whose names it is for.")
    ] = None,
    file: BookOut = None,
    mirror: Mirror = None,
    columns: Columns = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Read an ontology as stated axioms, and say what of the facts contradicts it."""
    out = Output(as_json, quiet)
    check_output(file)
    from parsimony.knowledge.book import write_book
    from parsimony.knowledge.book_check import conflicts, contradictions, require_acyclic

    notes: list[str] = []
    graph = None
    if data is not None:
        graph, _, notes = _graph(data, "train", mirror, columns, seed)
    known = _read(ontology, graph, None, notes)
    require_acyclic(known)
    notes += conflicts(known)
    if graph is not None:
        notes += [row["sentence"] for row in contradictions(known, graph)]
    if file is not None:
        write_book(known, file)
    _shown(out, known, notes, 1000)


def _read(
    source: str,
    graph: KnowledgeGraph | None,
    relation: str | None,
    notes: list[str],
    types: dict[str, tuple[str, ...]] | None = None,
) -> KnowledgeBook:
    from parsimony.knowledge.sources import read_knowledge

    book = read_knowledge(source, graph, types=types, notes=notes)
    if relation is None:
        return book
    found = book.about(relation)
    if not found.entries:
        from parsimony.errors import UnknownRelation

        known = dict.fromkeys(r for entry in book.entries for r in entry.relations)
        if relation not in known:
            raise UnknownRelation.of(relation, known, where=source)
    return found


def _graph(
    data: str, split: str, mirror: str | None, columns: str | None, seed: int
) -> tuple[KnowledgeGraph, dict[str, tuple[str, ...]], list[str]]:
    """The facts of a split, the types beside them, and notes."""
    import numpy as np

    from parsimony.graph.knowledge_graph import KnowledgeGraph
    from parsimony.knowledge.sources import TYPES, read_types
    from parsimony.link.loading import load

    found = load(data, mirror=mirror, columns=parse_columns(columns), seed=seed)
    parts = {"train": ["train"], "valid": ["valid"], "all": ["train", "valid", "test"]}
    if split not in parts:
        raise UsageError(f"no split {split!r}", remedy=f"one of {', '.join(parts)}")
    graph = found.graph
    if split != "train":
        triples = np.concatenate([getattr(found, part) for part in parts[split]])
        graph = KnowledgeGraph(
            triples, graph.n_entities, graph.n_relations, graph.entities, graph.relations
        )
    path = Path(data) / TYPES
    types = read_types(path) if path.is_file() else {}
    return graph, types, list(found.notes)


def _check_relation(graph: KnowledgeGraph, relation: str) -> None:
    if graph.relations is not None:
        graph.relations.index(relation)


def _alignment(path: Path) -> dict[str, str]:
    from parsimony.decoding.files import read_text

    names: dict[str, str] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        row = line.rstrip("\r").split("\t")
        if row == [""]:
            continue
        if len(row) != 2:
            raise FormatError(
                "not two relations, separated by a tab",
                remedy="write a line such as spouse<tab>married_to",
                where=f"{path}:{number}",
            )
        names[row[0]] = row[1]
    return names


def _evidence(item: Any) -> str:
    return f"{item.confidence:.2f}  {item.support}/{item.body_count}" if item.is_counted else "–"


def _clause(row: Any) -> str:
    return str(row.entry.item.clause)


def _shown(out: Output, book: KnowledgeBook, notes: list[str], top: int) -> None:
    entries = list(book.entries)
    for note in notes:
        out.note(note)
    if len(entries) > top:
        notes.append(f"the first {top:,} of {len(entries):,} entries are shown (--top)")
    from parsimony.knowledge.axioms import Axiom

    rows = [
        {
            "kind": "axiom" if isinstance(e.item, Axiom) else "rule", "text": e.item.clause,
            "support": e.item.support, "of": e.item.body_count, "confidence": e.item.confidence,
            **e.provenance.as_table(),
        }
        for e in entries[:top]
    ]  # fmt: skip
    value: dict[str, Any] = {"entries": rows, "types": len(book.types), "notes": notes}
    parts: list[Any] = []
    if rows:
        parts.append(
            table(
                ["evidence", "origin", "entry"],
                [[_evidence(e.item), e.provenance.origin, e.item.clause] for e in entries[:top]],
            )
        )
    for name, what in (("symbol", book.symbol), ("formula", book.formula)):
        if what is not None:
            value[name] = str(what)
            parts.append(f"{name}: {what}")
    if book.types:
        parts.append(f"types of {len(book.types):,} entities")
    out.result(value, *(parts or ["nothing was found"]))
