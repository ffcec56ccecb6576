"""An empty cell in quotes is as empty as one without: refused with its line, no nameless entity."""

from __future__ import annotations

import csv

import polars as pl
import pytest

from parsimony.errors import FormatError
from parsimony.graph import read_triples
from parsimony.ratings.table import read_ratings

HEADER = ["head", "relation", "tail"]


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("row", [["p0", "knows", ""], ["", "knows", "p0"], ["p0", "", "p3"]])
@pytest.mark.parametrize("at", [0, 2])
def test_a_missing_name_is_refused(tmp_path, quoting, row, at):
    path = tmp_path / "facts.csv"
    rows = [["p3", "known by", "p0"], ["p0", "likes", "p1"]]
    rows.insert(at, row)
    with path.open("w", newline="") as stream:
        csv.writer(stream, quoting=quoting).writerows([HEADER, *rows])
    with pytest.raises(FormatError, match="an empty field") as caught:
        read_triples(path)
    assert caught.value.where == f"{path}:{at + 2}"


@pytest.mark.parametrize("missing", ["", None])
def test_so_it_is_in_parquet(tmp_path, missing):
    path = tmp_path / "facts.parquet"
    rows = [("p3", "r", "p0"), ("p0", "r", missing)]
    pl.DataFrame(rows, schema=HEADER, orient="row").write_parquet(path)
    with pytest.raises(FormatError, match=r"facts\.parquet:2: an empty field"):
        read_triples(path)


def test_a_row_of_empty_cells_is_no_blank_line(tmp_path):
    path = tmp_path / "facts.csv"
    path.write_text("a,r,b\n\n,,\nb,r,a\n")
    with pytest.raises(FormatError, match=r"facts\.csv:3: an empty field"):
        read_triples(path)
    path.write_text("a,r,b\n\nb,r,a\n")
    assert len(read_triples(path)) == 2


def test_ratings_have_no_nameless_user(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text('"user","item","rating"\n"u","i","4"\n\n"","i","3"\n')
    with pytest.raises(FormatError, match=r"ratings\.csv:4: an empty cell"):
        read_ratings(path)
