"""Names are found by a few letters, as a plain search finds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.graph.names import fold
from parsimony.web.name_search import NameSearch

NAMES = ["warfarin", "Simvastatin", "acetylsalicylic_acid", "acid red", "placid", "Éloi", "a"]


def found(search, query, **more):
    hits, total = search(query, **more)
    return [(NAMES[hit.entity], hit.match) for hit in hits], total


@pytest.fixture
def search():
    return NameSearch([NAMES, ["" if n != "a" else "aspirin" for n in NAMES]], np.arange(7))


def test_the_better_match_comes_first(search):
    acids = [("acid red", "start"), ("acetylsalicylic_acid", "word"), ("placid", "inside")]
    assert found(search, "ACID", limit=3) == (acids, 3)
    assert found(search, "simvastatin", limit=1) == ([("Simvastatin", "exact")], 1)
    assert found(search, "aspirin")[0][0] == ("a", "exact")
    assert found(search, "eloi")[0] == [] or found(search, "éloi")[0][0] == ("Éloi", "exact")


def test_a_slip_of_the_pen(search):
    assert found(search, "wafarin", limit=1) == ([("warfarin", "near")], 0)
    assert found(search, "zzzzqqq") == ([], 0)


def test_what_holds_no_letter_finds_as_nothing_does(search):
    for query in ("_", "\u200b", "\u00ad \n"):
        assert search(query) == search("")


def test_only_the_allowed(search):
    allowed = np.array([name != "acid red" for name in NAMES])
    assert found(search, "acid", allowed=allowed, limit=1)[0] == [("acetylsalicylic_acid", "word")]
    assert found(search, "", limit=2)[0] == [("a", ""), ("Éloi", "")]


letters = st.text(st.characters(codec="utf-8", categories=("L", "N", "Zs", "P")), max_size=6)


@settings(max_examples=25)
@given(st.lists(letters.filter(bool), min_size=1, max_size=12), letters.filter(str.strip))
def test_all_that_hold_the_text_are_found(names, query):
    search = NameSearch([names], np.zeros(len(names)))
    hits, total = search(query, 50)
    wanted = fold(query.replace("_", " "))
    if wanted:
        plain = {i for i, n in enumerate(names) if wanted in fold(n.replace("_", " "))}
        assert {hit.entity for hit in hits if hit.match != "near"} == plain
        assert total == len(plain)


@settings(max_examples=25)
@given(st.lists(letters, min_size=1, max_size=5), st.text(max_size=90))
def test_nothing_that_is_typed_is_too_odd(names, query):
    NameSearch([names], np.zeros(len(names)))(query)
