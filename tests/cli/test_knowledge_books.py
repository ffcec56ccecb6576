"""parsimony knowledge: axioms of a person are read, measured and joined with others."""

from __future__ import annotations

import pytest

from parsimony.knowledge.axioms import parse_axiom
from parsimony.knowledge.book import Entry, KnowledgeBook
from parsimony.knowledge.book_check import conflicts

FACTS = "a\twife\tb\na\twife\tc\nd\twife\te\nb\thusband\ta\nc\thusband\ta\ne\thusband\td\n"
ONTOLOGY = """\
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix : <http://example.org/f#> .
:wife a owl:FunctionalProperty ; owl:inverseOf :P7 .
:P7 rdfs:label "husband" .
:dwells a owl:TransitiveProperty .
"""


@pytest.fixture
def facts(tmp_path):
    for name in ("train", "valid", "test"):
        (tmp_path / "facts").mkdir(exist_ok=True)
        (tmp_path / "facts" / f"{name}.txt").write_text(FACTS if name == "train" else FACTS[:9])
    return str(tmp_path / "facts")


def test_an_ontology_is_matched_and_its_contradictions_counted(typed, facts, tmp_path):
    pytest.importorskip("pyoxigraph")
    (tmp_path / "o.ttl").write_text(ONTOLOGY)
    done = typed("knowledge", "import", "o.ttl", facts, "--out", "o.toml", "--json").json
    texts = {row["text"] for row in done["entries"]}
    assert texts == {"functional(wife)", "inverse(wife, husband)"}
    assert any("1 by last part" in note and "1 by label" in note for note in done["notes"])
    assert any("dwells" in note for note in done["notes"])
    checked = typed("knowledge", "check", "o.toml", facts, "--json").json
    (broken,) = checked["contradictions"]
    assert (broken["text"], broken["broken"], broken["of"]) == ("functional(wife)", 1, 2)
    assert broken["examples"] == ["a"]


def test_a_book_equals_itself_and_joins_to_itself(typed, tmp_path):
    (tmp_path / "b.txt").write_text("symmetric(wife)\nwife(X,Y) <- husband(Y,X)\n")
    typed("knowledge", "merge", "b.txt", "b.txt", "--out", "c.toml")
    found = typed("knowledge", "diff", "b.txt", "c.toml", "--json").json
    assert (found["added"], found["removed"], found["changed"]) == ([], [], [])


def test_axioms_that_allow_no_fact_are_said():
    lines = ["symmetric(wife)", "domain(wife, Man)", "range(wife, Woman)", "disjoint(Woman, Man)"]
    entries = [Entry(parse_axiom(line)) for line in lines]
    (said,) = conflicts(KnowledgeBook(tuple(entries)))
    assert "no fact of wife" in said
    assert not conflicts(KnowledgeBook(tuple(entries[1:])))


def test_a_book_of_another_vocabulary_is_refused_by_every_verb(typed, tmp_path):
    (tmp_path / "other.txt").write_text("uncel(X,Y) <- brother(X,A), father(A,Y)\n")
    small = ["--method", "complex", "--set", "dim=8", "--set", "threads=1", "--epochs", "1"]
    error = typed("fit", "royal", *small, "--knowledge", "other.txt", "--out", "one", "--json",
                  code=2).error  # fmt: skip
    assert (error["type"], error["where"]) == ("UnknownRelation", "other.txt:1")
    assert "did you mean 'uncle'?" in error["remedy"]
    typed("fit", "royal", *small, "--out", "run", "--quiet")
    asked = ["--head", "George_III_of_the_United_Kingdom", "--relation", "uncle"]
    for verb in (["evaluate", "run"], ["predict", "run", *asked]):
        error = typed(*verb, "--knowledge", "other.txt", "--json", code=2).error
        assert (error["type"], error["where"]) == ("UnknownRelation", "other.txt:1")


def test_an_ontology_is_fitted_by_the_names_of_the_graph(typed, tmp_path):
    pytest.importorskip("pyoxigraph")
    (tmp_path / "o.ttl").write_text(
        "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n@prefix : <http://e.org/#> .\n"
        ":Cousin a owl:SymmetricProperty . :heaviness a owl:FunctionalProperty .\n"
    )
    done = typed("fit", "royal", "--method", "complex", "--set", "dim=8", "--set", "threads=1",
                 "--epochs", "1", "--knowledge", "o.ttl", "--out", "run", "--json")  # fmt: skip
    assert "no relation of the graph is called heaviness: 1 left out" in done.err
    assert any(note.startswith("facts: ") for note in done.json["notes"])
