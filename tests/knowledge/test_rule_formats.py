"""Rules survive the way through AnyBURL's, AMIE's and Datalog's formats and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.errors import FormatError, InvalidParameter
from parsimony.knowledge.rule_formats import (
    FORMATS,
    from_anyburl,
    rules_from_text,
    rules_to_text,
    to_amie,
)
from parsimony.knowledge.rules import Atom, Constant, Rule, parse_rule

RULE = parse_rule("0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)")

plain = st.from_regex(r"[a-z_/][\w./:-]{0,8}", fullmatch=True)
awkward = plain | st.sampled_from(["count", "a b", "1", "", "(", "ü", "a_b", "a.b"]) | st.text()


entities = st.from_regex(r"[a-z_/][\w./:-]{0,8}|[A-Z][a-z]+", fullmatch=True)


@st.composite
def rules(draw, names, entities):
    steps = draw(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=4))
    body_count = draw(st.integers(0, 1000))
    rule = Rule.from_path(draw(names), steps)
    known = {end: Constant(draw(entities)) for end in draw(st.sets(st.sampled_from("XYA")))}
    atoms = [Atom(a.relation, *(known.get(t, t) for t in a.terms)) for a in (rule.head, *rule.body)]
    if {"X", "Y"} - known.keys():
        rule = Rule(atoms[0], tuple(atoms[1:]))
    rule = rule.with_counts(draw(st.integers(0, body_count)), body_count)
    confidence = draw(st.just(rule.confidence) | st.floats(0, 1))
    return Rule(rule.head, rule.body, rule.support, rule.body_count, confidence).canonical()


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None)
@given(data=st.data())
def test_round_trip(format, data):
    free = format in ("parsimony", "datalog")
    several = data.draw(
        st.lists(rules(*((awkward, st.text()) if free else (plain, entities))), max_size=4)
    )
    assert rules_from_text(rules_to_text(several, format), format) == several


def test_the_formats_as_text():
    assert rules_to_text([RULE], "anyburl") == (
        f"443\t412\t{412 / 443!r}\tuncle(X,Y) <= brother(X,A), father(A,Y)\n"
    )
    assert to_amie([RULE], {"uncle": 824}).splitlines()[1] == (
        "?x  brother  ?a  ?a  father  ?y   => ?x  uncle  ?y\t0.5\t"
        f"{412 / 443!r}\tNaN\t412\t443\tNaN\t?x"
    )
    program = rules_to_text([RULE, parse_rule('"born in"(X,Y) <- max(Y,X)')], "datalog")
    assert "uncle(X,Y) :- brother(X,A), father(A,Y).  // 0.93  412/443\n" in program
    assert '.decl born_in_1(subject:symbol, object:symbol)  // "born in"\n' in program
    assert "born_in_1(X,Y) :- max_1(Y,X).\n" in program


def test_what_the_other_tools_write():
    assert (
        rules_from_text("1291\t1191\t0.922\tuncle(X,Y) <= brother(X,A), father(A,Y)\n", "anyburl")[
            0
        ].confidence
        == 0.922
    )
    amie = (
        "Using HeadCoverage as pruning metric with minimum threshold 0.01\n"
        "Rule\tHead Coverage\tStd Confidence\tPCA Confidence\tPositive Examples\tBody size\t"
        "PCA Body size\tFunctional variable\n"
        "?g  brother  ?h  ?h  father  ?b   => ?g  uncle  ?b\t0.41\t0.5\t0.9\t10\t20\t11\t?b\n"
        "Mining done in 1 s\n"
    )
    (rule,) = rules_from_text(amie, "amie")
    assert rule.clause == RULE.clause
    assert (rule.support, rule.body_count, rule.confidence) == (10, 20, 0.5)
    datalog = "// mine\n.decl brother(a:symbol, b:symbol)\nuncle(X, Y) :- brother(X,Z),father(Z,Y)."
    assert rules_from_text(datalog, "datalog")[0].clause == RULE.clause


def test_rules_with_entities_of_anyburl():
    text = "9\t3\t0.33\tuncle(X,E12) <= brother(X,A)\n" + rules_to_text([RULE], "anyburl")
    about, rule = from_anyburl(text)
    assert about.clause == 'uncle(X,"E12") <- brother(X,A)' and about.names_entity
    assert rule == RULE
    assert rules_to_text([about, rule], "anyburl") == text
    assert from_anyburl(text, skip_constants=True) == [RULE]


def test_entities_as_text():
    rule = parse_rule('0.50  1/2  speaks(X,"New York\'s") <- born(X,A), in(A,France)')
    plain = parse_rule("0.50  1/2  speaks(X,French) <- born(X,A)")
    assert to_amie([plain], pca=[0.75]).splitlines()[1] == (
        "?x  born  ?a   => ?x  speaks  French\tNaN\t0.5\t0.75\t1\t2\tNaN\t?x"
    )
    assert rules_to_text([rule], "datalog").splitlines()[-1] == (
        'speaks(X,"New York\'s") :- born(X,A), in(A,"France"), X != "New York\'s", X != A, '
        'X != "France", "New York\'s" != A, A != "France".  // 0.50  1/2'
    )
    for tool in ("anyburl", "amie"):
        with pytest.raises(InvalidParameter, match="the entity's name \"New York's\""):
            rules_to_text([rule], tool)
    with pytest.raises(InvalidParameter, match="the entity's name 'X'"):
        rules_to_text([parse_rule('r(X,"X") <- s(X,A)')], "anyburl")


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("anyburl", "443\t412\tuncle(X,Y) <= brother(X,Y)"),
        ("anyburl", "443\t412\t0.9\tuncle(X,Y) <= brother(X Y)"),
        ("anyburl", "3\t4\t0.9\tuncle(X,Y) <= brother(X,Y)"),
        ("amie", "?a  uncle  ?b => \t0\t0\t0\t1\t1\t1\t?a"),
        ("amie", "?a  uncle  Anna  => Bert  aunt  Anna\t0\t0\t0\t1\t1\t1\t?a"),
        ("datalog", "uncle(X,Y)."),
        ("datalog", 'uncle(X,"Anna) :- brother(X,Y).'),
        ("datalog", "uncle(X,anna) :- brother(X,Y)."),
        ("datalog", "uncle(X,Y) :- brother(X,Y), !father(X,Y)."),
    ],
)
def test_wrong_lines(format, line):
    with pytest.raises(FormatError) as caught:
        rules_from_text(f"\n{line}\n", format, where="rules.txt")
    assert caught.value.where == "rules.txt:2" and caught.value.remedy


def test_refusals():
    with pytest.raises(InvalidParameter, match="did you mean 'anyburl'"):
        rules_to_text([RULE], "anyburi")
    for format in ("anyburl", "amie"):
        with pytest.raises(InvalidParameter, match="cannot represent the relation's name 'a b'"):
            rules_to_text([Rule.from_path("a b", [("c", False)])], format)
