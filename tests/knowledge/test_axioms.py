"""Axioms: text, exact counts against a brute-force oracle, mining, ontologies."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import FormatError, UnknownRelation
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.graph.vocabulary import Vocabulary
from parsimony.knowledge.axiom_counts import AxiomCounter, mine_axioms
from parsimony.knowledge.axioms import KINDS, Axiom, parse_axiom
from parsimony.knowledge.book import Entry, KnowledgeBook, Provenance
from parsimony.knowledge.book_check import (
    aligned,
    check_book,
    contradictions,
    diff_books,
    merge_books,
    of_vocabulary,
    require_acyclic,
)
from parsimony.knowledge.ontology import read_ontology
from parsimony.knowledge.rules import parse_rule
from parsimony.knowledge.sources import read_knowledge, read_types

NAMES = ["e0", "e1", "e2", "e3", "e4"]
RELATIONS = ["r", "s"]
TYPES = ["T", "U"]


def graph_of(facts):
    return KnowledgeGraph(
        np.array(facts, np.int32).reshape(-1, 3), len(NAMES), len(RELATIONS),
        entities=Vocabulary(NAMES), relations=Vocabulary(RELATIONS, "relation"),
    )  # fmt: skip


@st.composite
def axioms(draw, named=None):
    kind = draw(st.sampled_from(sorted(KINDS)))
    name = named or st.text(min_size=1, max_size=6).filter(lambda t: t.isprintable())
    terms = tuple(
        draw(st.sampled_from(RELATIONS if what in "rs" else TYPES) if named else name)
        for what in KINDS[kind]
    )
    of = draw(st.integers(0, 900))
    return Axiom(kind, terms).with_counts(draw(st.integers(0, of)), of)


@given(axioms())
def test_an_axiom_reads_back(axiom):
    assert parse_axiom(str(axiom)) == axiom


def plain(kind, terms, facts, types):
    """How often an axiom holds, of how often it could: from the definition, fact by fact."""
    of = {r: {(h, t) for h, x, t in facts if RELATIONS[x] == r} for r in RELATIONS}
    is_a = {name: {e for e, ts in types.items() if name in ts} for name in TYPES}
    typed = set(types)

    def back(r, s):
        return [(t, h) in of[s] for h, t in of[r] if h != t]

    if kind == "symmetric":
        holds = back(terms[0], terms[0])
    elif kind == "inverse":
        r, s = terms
        holds = back(r, s) + (back(s, r) if r != s else [])
    elif kind == "subrelation":
        holds = [pair in of[terms[1]] for pair in of[terms[0]]]
    elif kind == "transitive":
        steps = [(h, t) for h, t in of[terms[0]] if h != t]
        joined = {(x, y) for x, a in steps for b, y in steps if a == b and x != y}
        holds = [pair in of[terms[0]] for pair in joined]
    elif kind in ("functional", "inverse_functional"):
        end = 0 if kind == "functional" else 1
        holds = [
            sum(pair[end] == e for pair in of[terms[0]]) == 1
            for e in {pair[end] for pair in of[terms[0]]}
        ]
    elif kind in ("domain", "range"):
        end = 0 if kind == "domain" else 1
        holds = [p[end] in is_a[terms[1]] for p in of[terms[0]] if p[end] in typed]
    else:
        first, second = (is_a[t] for t in terms)
        holds = [not (e in first and e in second) for e in first | second]
    return sum(holds), len(holds)


entity = st.integers(0, len(NAMES) - 1)


@given(
    st.lists(st.tuples(entity, st.integers(0, 1), entity), min_size=1, max_size=14),
    st.dictionaries(entity, st.sets(st.sampled_from(TYPES), min_size=1), max_size=5),
)
def test_counts_are_those_of_the_definition(facts, types):
    counter = AxiomCounter(
        graph_of(facts), {NAMES[e]: tuple(sorted(names)) for e, names in types.items()}
    )
    for kind, wanted in KINDS.items():
        choices = [RELATIONS if what in "rs" else sorted(counter.members) for what in wanted]
        for terms in itertools.product(*choices):
            counted = counter.count(Axiom(kind, terms))
            assert (counted.support, counted.body_count) == plain(kind, terms, facts, types)
            broken = counter.exceptions(Axiom(kind, terms))
            assert len(broken) == counted.body_count - counted.support


def test_mining_finds_what_was_planted():
    pairs = [(0, 1), (2, 3), (1, 4)]
    facts = [(h, 0, t) for h, t in pairs] + [(t, 0, h) for h, t in pairs]
    facts += [(t, 1, h) for h, t in pairs]
    found = {a.clause for a in mine_axioms(AxiomCounter(graph_of(facts)), min_support=3)}
    assert {"symmetric(r)", "subrelation(s, r)", "inverse_functional(s)"} <= found
    assert "symmetric(s)" not in found


def test_mining_ends_when_the_time_is_over():
    pairs = [(0, 1), (2, 3), (1, 4)]
    counter, notes = (
        AxiomCounter(graph_of([f for h, t in pairs for f in ((h, 0, t), (t, 1, h))])),
        [],
    )
    asked = iter([False, False])
    every = mine_axioms(counter, min_support=3)
    some = mine_axioms(counter, min_support=3, stop=lambda: next(asked, True), notes=notes)
    assert len(some) < len(every)
    assert "some may be missing" in notes[0]


# ---- books -------------------------------------------------------------------------------------

FACTS = [(0, 0, 1), (1, 0, 0), (2, 0, 3), (0, 1, 1), (2, 1, 3)]
STATED = KnowledgeBook(
    (
        Entry(Axiom("symmetric", ("r",))),
        Entry(Axiom("subrelation", ("s", "r"))),
        Entry(parse_rule("s(X,Y) <- r(X,Y)")),
        Entry(Axiom("functional", ("nobody",))),
    )
)


def test_a_book_is_measured_on_other_facts():
    verdicts = [row.verdict for row in check_book(STATED, graph_of(FACTS))]
    assert verdicts == ["weaker", "holds", "weaker", "not applicable"]


def test_what_the_facts_break_is_listed_with_names():
    row, *others = contradictions(STATED, graph_of(FACTS))
    assert (row["broken"], row["of"], row["examples"]) == (1, 3, ["e2 – e3"])
    assert "symmetric(r) is stated: 1 of 3 pairs break it" in row["sentence"]
    assert not others


def test_diff_and_merge():
    assert diff_books(STATED, STATED) == {"added": [], "removed": [], "changed": []}
    assert merge_books([STATED, STATED]) == STATED
    mined = KnowledgeBook((Entry(Axiom("symmetric", ("r",), 2, 3, 2 / 3), Provenance("mined")),))
    assert merge_books([mined, STATED]).entries[0].provenance.origin == "stated"
    assert diff_books(STATED, mined)["changed"] == [["symmetric(r)", "0.67  2/3  symmetric(r)"]]


def test_what_goes_round_or_is_unknown_is_refused():
    cycle = KnowledgeBook(
        (
            Entry(Axiom("subrelation", ("r", "s")), line="book.txt:1"),
            Entry(Axiom("subrelation", ("s", "r")), line="book.txt:2"),
        )
    )
    with pytest.raises(FormatError, match=r"go round: r → s → r") as raised:
        require_acyclic(cycle)
    assert raised.value.where == "book.txt:2"
    with pytest.raises(UnknownRelation, match="nobody"):
        of_vocabulary(STATED, graph_of(FACTS))
    renamed = aligned(STATED, {"nobody": "s"})
    of_vocabulary(renamed, graph_of(FACTS))


TURTLE = """
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix : <http://example.org/family#> .
:r a owl:SymmetricProperty ; rdfs:domain :Person ; rdfs:range [ a owl:Restriction ] .
:other rdfs:label "s" ; rdfs:subPropertyOf :r .
:missing a owl:FunctionalProperty .
:Person owl:disjointWith :Place .
:e0 a :Person .
"""


def test_an_ontology_is_a_book(tmp_path):
    pytest.importorskip("pyoxigraph")
    path, notes = tmp_path / "family.ttl", []
    path.write_text(TURTLE)
    book = read_knowledge(path, graph_of(FACTS), notes=notes)
    assert {a.clause for a in book.axioms} == {
        "symmetric(r)", "domain(r, Person)", "subrelation(s, r)", "disjoint(Person, Place)",
    }  # fmt: skip
    assert book.types == {"e0": ("Person",)}
    assert any("1 by label" in note for note in notes)
    assert any("no relation of the graph is called missing" in note for note in notes)
    path.write_text("this is no Turtle")
    with pytest.raises(FormatError, match="not RDF"):
        read_ontology(path)


def test_types_have_a_file(tmp_path):
    path = tmp_path / "types.tsv"
    path.write_text("e0\tT\ne0\tU\ne1\tT\n")
    assert read_types(path) == {"e0": ("T", "U"), "e1": ("T",)}
    path.write_text("e0 T\n")
    with pytest.raises(FormatError, match="tab") as raised:
        read_types(path)
    assert raised.value.where == f"{path}:1"
