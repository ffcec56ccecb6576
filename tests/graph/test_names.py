"""Names: what is spelled alike, and what a name that is asked for is taken for."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.decoding.number_text import as_text
from parsimony.errors import UnknownEntity
from parsimony.graph import Vocabulary, read_triples
from parsimony.graph.names import alike, alike_note, fold, spelled

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = st.text("aAeÉéß ﬁ1.0\u0301\u00a0\u200b", max_size=6)


@given(TEXT)
def test_folding_twice_is_folding_once(name):
    assert fold(fold(name)) == fold(name)


@given(TEXT, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_all_spellings_fold_to_one(name, form):
    for other in (
        unicodedata.normalize(form, name), f" {name}\t", f"\u00a0{name}\u200b", name.casefold(),
        name.replace(" ", "\u00a0"),
    ):  # fmt: skip
        assert fold(other) == fold(name)


@pytest.mark.parametrize("a, b", [("1", "1.0"), ("007", "7"), ("0", "000.0"), ("12", "12.00")])
def test_numbers_fold_to_their_value(a, b):
    assert fold(a) == fold(b)


@pytest.mark.parametrize(
    "a, b", [("1.5", "15"), ("10", "1"), ("GO:1", "GO:01"), ("-1", "1"), ("", "0")]
)
def test_what_is_different_stays_different(a, b):
    assert fold(a) != fold(b)


@given(st.lists(WORDS, unique=True, max_size=8))
def test_groups_against_pairs(names):
    groups = alike(names)
    together = {(a, b) for group in groups for a in group for b in group if a != b}
    assert together == {(a, b) for a in names for b in names if a != b and fold(a) == fold(b)}


@given(st.lists(WORDS, unique=True, min_size=1, max_size=8), WORDS)
def test_an_exact_name_wins_else_the_only_one(names, asked):
    vocabulary, notes = Vocabulary(names), []
    near = [name for name in names if fold(name) == fold(asked)]
    if asked in names:
        assert vocabulary.name(vocabulary.index(asked, notes=notes)) == asked
        assert not notes
    elif len(near) == 1:
        assert vocabulary.name(vocabulary.index(asked, notes=notes)) == near[0]
        assert spelled(asked) in notes[0] and spelled(near[0]) in notes[0]
        with pytest.raises(UnknownEntity):  # nowhere to say so
            vocabulary.index(asked)
    else:
        with pytest.raises(UnknownEntity) as caught:
            vocabulary.index(asked, notes=notes)
        for name in near[:5]:
            assert spelled(name) in caught.value.message


def test_two_spellings_of_a_name_look_different():
    composed, apart = "caf\u00e9", "cafe\u0301"
    assert spelled(composed) != spelled(apart)
    assert spelled(apart) == "'cafe\\u0301'"
    assert spelled("a\u00a0b") == "'a\\xa0b'"


def test_the_note_counts_and_shows():
    assert alike_note(["a", "b"], "entity", "entities") == []
    (note,) = alike_note(["Aspirin", "salt", "aspirin ", "water"], "entity", "entities")
    assert "2 entities" in note and "'Aspirin', 'aspirin '" in note


@pytest.mark.parametrize(
    "column, text",
    [
        (pl.Series([1, 20], dtype=pl.Int8), ["1", "20"]),
        (pl.Series([1.0, 2.5, None]), ["1", "2.5", None]),
        (pl.Series([10.0, float("nan")], dtype=pl.Float32), ["10", None]),
        (pl.Series(["1.0", "01"]), ["1.0", "01"]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
    ],
)
def test_a_column_of_numbers_names_what_a_text_names(column, text):
    frame = pl.DataFrame({"c": column})
    assert frame.select(as_text("c", column.dtype))["c"].to_list() == text


def test_a_graph_of_numbers_is_the_same_from_integers_floats_and_text(tmp_path):
    rows = {"head": [1, 2, 3], "relation": [7, 7, 7], "tail": [2, 3, 1]}
    frame = pl.DataFrame(rows)
    frame.write_parquet(tmp_path / "int.parquet")
    frame.cast(pl.Float64).write_parquet(tmp_path / "float.parquet")
    frame.write_csv(tmp_path / "text.csv")
    found = [read_triples(tmp_path / name).cast(pl.String).rows()
             for name in ("int.parquet", "float.parquet", "text.csv")]  # fmt: skip
    assert found[0] == found[1] == found[2] == frame.cast(pl.String).rows()
