"""Two stray quotes in a column that nobody reads: no row vanishes."""

from __future__ import annotations

import polars as pl
import pytest

from parsimony.errors import FormatError
from parsimony.graph import read_triples
from parsimony.link import load

ROWS = [(f"a{i}", f"r{i % 3}", f"b{i % 7}") for i in range(20)]


def table(comments, rows=ROWS):
    lines = [f"{','.join(row)},{comments.get(i, 'note')}" for i, row in enumerate(rows)]
    return "\n".join(["head,relation,tail,comment", *lines]) + "\n"


def read(path, text):
    path.write_text(text)
    return read_triples(path).cast(pl.String).rows()


def test_stray_quotes_in_an_unread_column(tmp_path):
    text = table({5: '5" pipe', 12: '5" pipe'})
    assert read(tmp_path / "facts.csv", text) == ROWS


def test_the_same_among_many_rows(tmp_path):
    rows = [(f"a{i}", f"r{i % 3}", f"b{i % 7}") for i in range(30_000)]
    text = table({5: '5" pipe', 29_000: '5" pipe'}, rows)
    assert read(tmp_path / "facts.csv", text) == rows


def test_the_split_has_all_of_them(tmp_path):
    people = [(f"p{i}", "knows", f"p{(i + 3) % 40}") for i in range(40)]
    rows = people + [(t, "known_by", h) for h, _, t in people]
    rows += [(f"p{i}", "likes", f"p{(i + 1) % 40}") for i in range(40)]
    (tmp_path / "audit.csv").write_text(table({30: '5" pipe', 90: '5" pipe'}, rows))
    data = load(tmp_path / "audit.csv")
    assert [len(data.train), len(data.valid), len(data.test)] == [96, 12, 12]
    assert data.n_entities == 40


@pytest.mark.parametrize(
    ("comments", "line"),
    [
        ({5: '"five inch', 12: 'pipe"'}, 7),  # swallows rows 5 to 12 and is a cell, if a wide one
        ({5: '"five" inch'}, 7),
        ({5: '"five inch'}, 7),
        ({5: '"', 12: 'inch"'}, 7),
    ],
)
def test_a_cell_that_begins_with_a_stray_quote_is_refused(tmp_path, comments, line):
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "facts.csv", table(comments))
    assert caught.value.where == f"{tmp_path / 'facts.csv'}:{line}"
    assert "in quotes" in caught.value.remedy
