"""Books: what is written reads back, old files are read, bad ones are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import FormatError
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.book import (
    Entry,
    KnowledgeBook,
    Provenance,
    book_from_table,
    read_book,
    write_book,
)
from parsimony.knowledge.formula import Formula
from parsimony.knowledge.rules import Rule, parse_rule
from parsimony.knowledge.symbol import Symbol

name = st.text(min_size=1, max_size=5).filter(str.isprintable)
counts = st.integers(0, 99).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
rules = st.builds(
    lambda r, s, n: Rule.from_path(r, [(s, False), (r, True)]).with_counts(*n), name, name, counts
)
axioms = st.builds(lambda r, n: Axiom("symmetric", (r,)).with_counts(*n), name, counts)
sources = st.builds(
    Provenance, st.sampled_from(["mined", "distilled", "stated"]), data=st.sampled_from(["", "ab"])
)
books = st.builds(
    KnowledgeBook,
    st.lists(st.builds(Entry, rules, sources), max_size=5).flatmap(
        lambda first: st.lists(st.builds(Entry, axioms, sources), max_size=5).map(
            lambda second: tuple(first + second)
        )
    ),
    st.dictionaries(name, st.lists(name, min_size=1, max_size=2).map(tuple), max_size=3),
    st.sampled_from([None, Symbol.parse("ComplEx")]),
    st.sampled_from([None, Formula.from_bits(7)]),
)


@given(books)
def test_a_book_reads_back(book):
    assert book_from_table(book.as_table(), "book.toml") == book


def test_a_book_is_a_file(tmp_path):
    path = tmp_path / "book.toml"
    rule = Entry(parse_rule("0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)"),
                 Provenance("mined", data="3f"))  # fmt: skip
    book = KnowledgeBook((rule, Entry(Axiom("symmetric", ("knows",)))), {"Anna": ("person",)})
    write_book(book, path)
    assert read_book(path) == book
    # An edit: a line without evidence is a person's.
    path.write_text(path.read_text().replace("rules = [", 'rules = [\n "a(X,Y) <- b(Y,X)",'))
    assert read_book(path).entries[0].provenance.origin == "stated"


def test_old_files_and_plain_text_are_books(tmp_path):
    old = tmp_path / "knowledge.toml"
    old.write_text('rules = ["1.00  3/3  a(X,Y) <- b(X,Y)"]\n')
    assert read_book(old).entries[0].provenance.origin == "mined"
    text = tmp_path / "mine.txt"
    text.write_text("# mine\na(X,Y) <- b(X,Y)\nsymmetric(b)\n")
    book = read_book(text)
    assert [str(e.item) for e in book.entries] == ["a(X,Y) <- b(X,Y)", "symmetric(b)"]
    assert book.entries[1].line == f"{text}:3"


@pytest.mark.parametrize(
    ("text", "says", "where"),
    [
        ("schema = 2", "has schema 2", "book.toml"),
        ('rules = "a(X,Y) <- b(X,Y)"', "is no list", "book.toml: rules"),
        ("rules = [3]", "neither text nor", "book.toml: rules[1]"),
        ('axioms = ["lovely(b)"]', "no kind of axiom", "book.toml: axioms[1]"),
        ('axioms = ["domain(b)"]', "1 terms instead of 2", "book.toml: axioms[1]"),
        ('rules = [{ text = "a(X,Y) <- b(X,Y)", origin = "felt" }]', "origin 'felt'", "rules[1]"),
        ('types = { Anna = "person" }', "no list of names", "[types]"),
        ("", "no rules and no axioms", "book.toml"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, says, where):
    path = tmp_path / "book.toml"
    path.write_text(text)
    with pytest.raises(FormatError, match=says.replace("(", r"\(")) as raised:
        read_book(path)
    assert where in (raised.value.where or "")
    assert raised.value.remedy
