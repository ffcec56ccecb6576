"""Answers: what predict and adapt return, and the ways out of it."""

from __future__ import annotations

import json
import sys
from html import escape

import numpy as np
import polars as pl
import pytest

from parsimony.answers import Answers, Measures
from parsimony.errors import MissingExtra
from parsimony.knowledge import Symbol, parse_rule
from parsimony.knowledge.formula import Formula

ROWS = [
    {"item": "b", "rating": 4.5, "known": None},
    {"item": "a", "rating": 2, "known": 5.0},
]


@pytest.fixture(params=["answers", "predictions"])
def found(request):
    return Answers({"query": {"head": "x"}, request.param: ROWS, "seconds": 0.5, "notes": ["n"]})


@pytest.fixture(params=["answers", "predictions"])
def nothing(request):
    return Answers({"query": {"head": "x"}, request.param: []})


def test_it_is_the_dictionary_that_json_prints(found):
    assert isinstance(found, dict)
    assert found["notes"] == ["n"]
    assert json.loads(json.dumps(found)) == dict(found)
    assert found.rows == ROWS
    assert found.columns == ["item", "rating", "known"]


def test_columns_are_those_of_all_rows():
    found = Answers(answers=[{"a": 1}, {"b": 2, "a": 3}])
    assert found.columns == ["a", "b"]
    np.testing.assert_array_equal(found.to_numpy(), np.array([[1, None], [3, 2]], object))
    assert found.to_polars().to_dicts() == [{"a": 1, "b": None}, {"a": 3, "b": 2}]


def test_to_polars(found):
    frame = found.to_polars()
    assert frame.columns == found.columns
    assert frame.schema["rating"] == pl.Float64  # though one of them is a whole number
    assert frame["known"].to_list() == [None, 5.0]


def test_a_type_that_shows_late_is_inferred():
    rows = [{"score": None} for _ in range(200)] + [{"score": 0.5}]
    assert Answers(answers=rows).to_polars()["score"].to_list()[-1] == 0.5


def test_to_numpy(found):
    table = found.to_numpy()
    assert table.dtype == object
    assert table.tolist() == [["b", 4.5, None], ["a", 2, 5.0]]


def test_cells_may_be_lists_as_long_as_a_row():
    rows = [{"path": ["p", "q"], "score": 1.0}, {"path": ["r", "s"], "score": 2.0}]
    table = Answers(answers=rows).to_numpy()
    assert table.shape == (2, 2)
    assert table[0, 0] == ["p", "q"]
    rows = [{"path": ["p", "q"]}]
    assert Answers(answers=rows).to_numpy()[0, 0] == ["p", "q"]


def test_to_pandas(found):
    pandas = pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == found.columns
    assert frame["rating"].tolist() == [4.5, 2.0]


def test_without_pandas_the_way_to_it_is_named(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match="pandas") as caught:
        found.to_pandas()
    assert caught.value.remedy == "pip install pandas"


def test_no_answer_is_an_empty_table(nothing):
    assert nothing.rows == []
    assert nothing.columns == []
    assert nothing.to_numpy().shape == (0, 0)
    assert len(nothing.to_polars()) == 0
    assert nothing._repr_html_().startswith("<")
    assert Answers(notes=[]).rows == []


def test_notebooks_leave_a_cell_without_a_value_empty(found):
    html = found._repr_html_()
    assert "<td>4.5</td><td></td>" in html
    assert "None" not in html


def test_notebooks_get_a_table_in_which_names_are_no_markup():
    evil = '<script>alert("1")</script>'
    html = Answers(query={"head": evil}, answers=[{evil: evil, "n": 1 << 40}])._repr_html_()
    assert html.startswith("<")
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3  # in the query, a column's name and a cell
    assert 'alert("' not in html


def test_measures_are_a_table_with_their_intervals():
    found = Measures(split="test", metrics={"mrr": 0.5}, interval={"mrr": [0.4, 0.6]}, n_queries=7)
    shown = found._repr_html_()
    answers = Answers(query={"head": "a", "tail": None}, answers=[{"score": 19.548673629760742}])
    assert "<caption>head a</caption>" in answers._repr_html_()
    assert "<td>19.55</td>" in answers._repr_html_()
    for part in ("mrr", "0.5000", "0.4000 to 0.6000", "test, 7 queries"):
        assert part in shown


def test_knowledge_is_shown_as_text_with_markup_escaped():
    rule = parse_rule('0.50  1/2  "<b>"(X,Y) <- r(X,Y)')
    assert "<b>" not in rule._repr_html_()
    assert "&lt;b&gt;" in rule._repr_html_()
    for knowledge in (Symbol.parse("ComplEx"), Formula.parse("film")):
        assert knowledge._repr_html_() == f"<pre>{escape(knowledge.text())}</pre>"
