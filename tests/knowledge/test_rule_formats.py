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
from parsimony.knowledge.rules import Rule, parse_rule

RULE = parse_rule("0.93  412/443  uncle(X,Y) <- brother(X,A), father(A,Y)")

plain = st.from_regex(r"[a-z_/][\w./:-]{0,8}", fullmatch=True)
awkward = plain | st.sampled_from(["count", "a b", "1", "", "(", "ü", "a_b", "a.b"]) | st.text()


@st.composite
def rules(draw, names):
    steps = draw(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=4))
    body_count = draw(st.integers(0, 1000))
    rule = Rule.from_path(draw(names), steps)
    rule = rule.with_counts(draw(st.integers(0, body_count)), body_count)
    confidence = draw(st.just(rule.confidence) | st.floats(0, 1))
    return Rule(rule.head, rule.body, rule.support, rule.body_count, confidence).canonical()


@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None)
@given(data=st.data())
def test_round_trip(format, data):
    names = awkward if format in ("parsimony", "datalog") else plain
    several = data.draw(st.lists(rules(names), max_size=4))
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
    with pytest.raises(FormatError, match="names the entity 'E12'") as caught:
        from_anyburl(text, where="rules.txt")
    assert caught.value.where == "rules.txt:1"
    assert from_anyburl(text, skip_constants=True) == [RULE]


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("anyburl", "443\t412\tuncle(X,Y) <= brother(X,Y)"),
        ("anyburl", "443\t412\t0.9\tuncle(X,Y) <= brother(X Y)"),
        ("anyburl", "3\t4\t0.9\tuncle(X,Y) <= brother(X,Y)"),
        ("amie", "?a  uncle  ?b => \t0\t0\t0\t1\t1\t1\t?a"),
        ("amie", "?a  uncle  Anna  => ?a  aunt  ?b\t0\t0\t0\t1\t1\t1\t?a"),
        ("datalog", "uncle(X,Y)."),
        ("datalog", 'uncle(X,"Anna") :- brother(X,Y).'),
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
        with pytest.raises(InvalidParameter, match="cannot represent the relation name 'a b'"):
            rules_to_text([Rule.from_path("a b", [("c", False)])], format)
