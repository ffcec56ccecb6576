"""Rules print and parse to the same object; wrong lines say file, line and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.errors import FormatError, InvalidParameter, MissingFile, UnknownRelation
from parsimony.knowledge.rules import (
    Atom,
    Constant,
    Rule,
    format_rules,
    parse_rule,
    parse_rules,
    read_rules,
)

LINE = "0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)"

names = st.one_of(
    st.sampled_from(["uncle", "_hypernym", "/film/genre", "0.93", "412/443", "X", "<-", "#", ""]),
    st.text(max_size=12),
)
variables = st.from_regex(r"[A-Z][0-9]{0,2}", fullmatch=True)
constants = st.builds(Constant, names | variables | st.sampled_from(["Xx", "X_1", "Anna", "a,b"]))
atoms = st.builds(Atom, names, variables | constants, variables | constants)
heads = st.builds(Atom, names, variables, variables | constants) | st.builds(
    Atom, names, constants, variables
)


@st.composite
def evidence(draw):
    body_count = draw(st.integers(0, 10**9))
    support = draw(st.integers(0, body_count))
    ratio = support / body_count if body_count else 0.0
    confidence = draw(st.sampled_from([ratio, round(ratio, 2), 0.0, 1.0, 5e-324]) | st.floats(0, 1))
    return support, body_count, confidence


@st.composite
def rules(draw):
    return Rule(
        draw(heads), tuple(draw(st.lists(atoms, min_size=1, max_size=4))), *draw(evidence())
    )


def test_the_line_of_the_design():
    rule = parse_rule(LINE)
    assert rule.head == Atom("uncle", "X", "Y")
    assert rule.body == (Atom("brother", "X", "A"), Atom("father", "A", "Y"))
    assert (rule.support, rule.body_count, rule.confidence) == (412, 443, 412 / 443)
    assert str(rule) == LINE
    assert rule == Rule.from_path("uncle", [("brother", False), ("father", False)]).with_counts(
        412, 443
    )


@settings(deadline=None)
@given(rules())
def test_round_trip(rule):
    line = str(rule)
    assert "\n" not in line
    assert parse_rule(line) == rule
    assert str(parse_rule(line)) == line


@settings(deadline=None)
@given(st.lists(rules(), max_size=5))
def test_round_trip_of_a_text(several):
    assert parse_rules("# a comment\n\n" + format_rules(several)) == several


def test_entities_and_variables():
    rule = parse_rule('speaks(X,French) <- born_in(X,"X"), in(A1,X_1), in("A1",B)')
    assert rule.head == Atom("speaks", "X", "French") == Atom("speaks", "X", Constant("French"))
    assert [atom.object for atom in rule.body] == [Constant("X"), Constant("X_1"), "B"]
    assert [atom.subject for atom in rule.body] == ["X", "A1", Constant("A1")]
    assert str(rule) == 'speaks(X,French) <- born_in(X,"X"), in(A1,X_1), in("A1",B)'
    assert rule.canonical().clause == 'speaks(X,French) <- born_in(X,"X"), in(A,X_1), in("A1",B)'
    assert parse_rule("speaks(anna,P) <- born_in(P,Q)").canonical().clause == (
        "speaks(anna,Y) <- born_in(Y,A)"
    )
    assert str(Constant("New York")) == '"New York"'


@settings(deadline=None)
@given(rules())
def test_canonical_is_stable_and_keeps_entities(rule):
    renamed = rule.canonical()
    assert renamed.canonical() == renamed
    for atom, before in zip((renamed.head, *renamed.body), (rule.head, *rule.body), strict=True):
        assert [t for t in atom.terms if isinstance(t, Constant)] == [
            t for t in before.terms if isinstance(t, Constant)
        ]


def test_branches():
    rule = parse_rule("speaks(X,French) <- in(A,France), born_in(X,A)")
    assert rule.names_entity
    assert rule.branch == ((("born_in", False), ("in", False)), Constant("France"))
    assert parse_rule("at(c,Y) <- seat(A,Y)").branch == ((("seat", True),), "A")


def test_lines_written_by_hand():
    bare = parse_rule("uncle(X,Y)<-brother( X , A ),father(A,Y) # by blood")
    assert (bare.support, bare.body_count, bare.confidence) == (0, 0, 0.0)
    assert str(bare) == "uncle(X,Y) <- brother(X,A), father(A,Y)"
    assert parse_rule("0.5 uncle(X,Y) <- brother(X,Y)").confidence == 0.5
    assert parse_rule("412/443 uncle(X,Y) <- brother(X,Y)").confidence == 412 / 443
    edited = parse_rule(LINE.replace("0.93", "0.5"))
    assert (edited.confidence, edited.support) == (0.5, 412)
    assert str(edited).startswith("0.5  412/443  uncle")


@settings(deadline=None)
@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=5), st.randoms())
def test_steps_are_found_in_any_order(steps, random):
    rule = Rule.from_path("r", steps)
    body = list(rule.body)
    random.shuffle(body)
    shuffled = Rule(rule.head, tuple(body))
    assert shuffled.steps == tuple(steps)


@pytest.mark.parametrize(
    "clause",
    [
        "r(X,Y) <- p(X,A)",
        "r(X,Y) <- p(X,anna)",
        "r(X,Y) <- p(X,anna), q(anna,Y)",
        "r(X,anna) <- p(X,anna)",
        "r(X,Y) <- p(X,A), q(B,Y)",
        "r(X,Y) <- p(X,Y), q(X,Y)",
        "r(X,Y) <- p(X,A), q(X,A), s(A,Y)",
        "r(X,Y) <- p(X,A), q(A,A), s(A,Y)",
        "r(X,X) <- p(X,A), q(A,X)",
        "r(X,Y) <- p(X,A), q(A,X), s(X,Y)",
    ],
)
def test_bodies_that_are_no_path(clause):
    with pytest.raises(InvalidParameter, match="not a path"):
        _ = parse_rule(clause).steps


def test_canonical_and_trivial():
    rule = parse_rule("r(P,Q) <- s(Z,P), t(Z,Q)")
    assert rule.canonical().clause == "r(X,Y) <- s(A,X), t(A,Y)"
    assert parse_rule("r(X,Y) <- r(X,Y)").is_trivial
    assert not parse_rule("r(X,Y) <- r(Y,X)").is_trivial


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("uncle(X,Y)", "expected '<-' at column 11, found the end"),
        ("uncle(X,Y) <- ", "expected a relation's name"),
        ("uncle(X,Y) <- brother(X,A) father(A,Y)", "expected ',' or the end of the line"),
        ("uncle(Uncle,Child) <- brother(Uncle,A), father(A,Child)", "has no variable"),
        ("uncle(X,<-) <- brother(X,A)", "expected a variable or an entity at column 9"),
        ("uncle(X) <- brother(X,Y)", "expected ',' at column 8"),
        ("uncle(X,Y) <- brother(X,Y", r"expected '\)'"),
        ("uncle of(X,Y) <- brother(X,Y)", r"expected '\(' at column 7, found 'of'"),
        ("1.5  uncle(X,Y) <- brother(X,Y)", r"outside \[0, 1\]"),
        ("1e999  uncle(X,Y) <- brother(X,Y)", r"outside \[0, 1\]"),
        ("0.9  4/3  uncle(X,Y) <- brother(X,Y)", "support 4 of 3"),
        ('"uncle(X,Y) <- brother(X,Y)', "cannot read"),
        (r'"\q"(X,Y) <- brother(X,Y)', "not a JSON string"),
        ("uncle(X,Y) => brother(X,Y)", "cannot read '=> brother"),
        ("ü" * 5_000_000, r"expected '\(' at column"),
    ],
)
def test_wrong_lines(line, message, tmp_path):
    path = tmp_path / "rules.txt"
    path.write_text(f"# kept\n{LINE}\n{line}\n", encoding="utf-8")
    with pytest.raises(FormatError, match=message) as caught:
        read_rules(path)
    assert caught.value.where == f"{path}:3"
    assert caught.value.remedy
    assert len(str(caught.value)) < 1000


def test_unknown_relation_and_missing_file(tmp_path):
    path = tmp_path / "rules.txt"
    path.write_text(LINE + "\n", encoding="utf-8")
    with pytest.raises(UnknownRelation, match="did you mean 'brothers'") as caught:
        read_rules(path, relations=["uncle", "brothers", "father"])
    assert caught.value.where == f"{path}:1"
    with pytest.raises(MissingFile):
        read_rules(tmp_path / "rule.txt")
