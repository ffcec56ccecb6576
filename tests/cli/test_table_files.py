"""Tables as files: three formats of one content, nothing that a spreadsheet would run."""

from __future__ import annotations

import io
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.cli.table_files import SUFFIXES, table_bytes, unescaped

cells = st.lists(st.text(st.sampled_from("'=+-@\t\rab\",;\n0"), max_size=5) | st.none(), max_size=6)


@given(cells)
def test_no_cell_of_a_text_file_begins_a_formula_and_each_comes_back(column):
    frame = pl.DataFrame({"name": column, "number": [-1.5] * len(column)},
                         schema={"name": pl.String, "number": pl.Float64})  # fmt: skip
    for suffix, separator in ((".csv", ","), (".tsv", "\t")):
        written = table_bytes(frame, suffix)
        back = pl.read_csv(io.BytesIO(written), separator=separator, schema=frame.schema)
        found = back["name"].to_list()
        assert not [cell for cell in found if cell and re.match(r"[=+\-@\t\r]", cell)]
        # Polars reads an empty cell as none.
        assert [None if c is None else unescaped(c) or None for c in found] \
            == [cell or None for cell in column]  # fmt: skip
        assert back["number"].to_list() == [-1.5] * len(column), "a number is no text"
    assert pl.read_parquet(io.BytesIO(table_bytes(frame, ".parquet"))).equals(frame)


QUERIES = "person 0\tparent\t?\n?\tparent\tperson 1\n"


@pytest.fixture
def queries(trained, tmp_path):
    from parsimony.methods import load_run

    data = load_run(trained).task_.data
    names = [data.entities.name(i) for i in range(3)]
    path = tmp_path / "q.tsv"
    path.write_text(f"{names[0]}\tuncle\t?\nnobody\tuncle\t?\n?\tuncle\t{names[1]}\n")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_batch_in_every_format_with_an_unknown_name(typed, trained, queries, tmp_path, suffix):
    done = typed(
        "predict", trained, "--queries", queries, "--out", f"out{suffix}", "--top", "3", "--json",
        code=1,
    ).json  # fmt: skip
    assert (done["queries"], done["answers"]) == (2, 6)
    (unknown,) = done["unknown"]
    assert unknown["where"].endswith("q.tsv:2")
    assert "'nobody'" in unknown["message"]
    assert any("1 queries left out" in note and "q.tsv:2" in note for note in done["notes"])
    path = tmp_path / f"out{suffix}"
    if suffix in (".parquet", ".pq"):
        table = pl.read_parquet(path)
    else:
        table = pl.read_csv(path, separator="\t" if suffix == ".tsv" else ",")
    assert table["query"].to_list() == [0, 0, 0, 2, 2, 2]
    assert not (tmp_path / f"out{suffix}.parts").exists()


def test_a_query_can_be_written_too(typed, trained, queries, tmp_path):
    name = queries.read_text().split("\t")[0]
    words = ["predict", trained, "--head", name, "--relation", "uncle", "--out", "a.csv"]
    done = typed(*words, "--json").json
    table = pl.read_csv(tmp_path / "a.csv")
    assert table["entity"].to_list() == [answer["entity"] for answer in done["answers"]]


def test_an_unknown_candidate_is_said(typed, trained, queries, tmp_path):
    name = queries.read_text().split("\t")[0]
    (tmp_path / "c.txt").write_text(f"nobody\n{name}\n")
    words = ["predict", trained, "--head", name, "--relation", "uncle", "--candidates", "c.txt"]
    done = typed(*words, "--json", code=1).json
    assert [answer["entity"] for answer in done["answers"]] == [name]
    assert done["unknown"][0]["where"] == "c.txt:1"
    (tmp_path / "c.txt").write_text("nobody\n")
    assert typed(*words, "--json", code=2).error["type"] == "UnknownEntity"


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.json"])
def test_another_suffix_is_refused_with_all_that_are_possible(typed, name):
    for words in (
        ["predict", "run", "--queries", "q", "--out", name],
        ["ddi", "screen", "run", "--drug", "a", "--out", name],
        ["adapt", "run", "--support", "s", "--predict", "p", "--out", name],
    ):
        error = typed(*words, "--json", code=2).error
        assert error["type"] == "UsageError"
        assert ".parquet, .pq, .csv or .tsv" in error["message"]


def test_rules_as_a_table(typed, tmp_path):
    listed = typed("rules", "royal", "--top", "5", "--out", "rules.csv", "--json").json["rules"]
    table = pl.read_csv(tmp_path / "rules.csv")
    assert table.columns == ["text", "support", "confidence"]
    assert table["text"].to_list() == [rule["text"] for rule in listed]
    words = ["rules", "royal", "--out", "rules.csv", "--format", "amie"]
    assert "--out rules.txt" in typed(*words, "--json", code=2).error["remedy"]
