"""Items of a list that the data do not hold: these are said, the others are answered."""

from __future__ import annotations

import pytest
from tests.ratings.small_ratings import tastes, write_csv


@pytest.fixture
def run(typed, tmp_path):
    write_csv(tastes(), tmp_path / "r.csv")
    words = ["fit", "r.csv", "--method", "means", "--set", "support=6", "--out", "run", "--quiet"]
    typed(*words)
    return "run"


def test_unknown_items_are_said_and_the_others_answered(typed, run, tmp_path):
    (tmp_path / "mine.csv").write_text("item,rating\nitem 1,5\ngone,3\n")
    (tmp_path / "ask.csv").write_text("item\nitem 2\nnone\n")
    words = ["adapt", run, "--support", "mine.csv", "--predict", "ask.csv"]
    done = typed(*words, "--out", "p.csv", "--json", code=1).json
    assert [row["item"] for row in done["predictions"]] == ["item 2"]
    assert [each["where"] for each in done["unknown"]] == ["mine.csv", "ask.csv"]
    assert any(note.startswith("warning: 2 items left out") for note in done["notes"])
    assert "item 2" in (tmp_path / "p.csv").read_text()
    readable = typed(*words, code=1)
    assert "2 items left out" in readable.out
    (tmp_path / "ask.csv").write_text("item\nnone\n")
    assert typed(*words, "--json", code=2).error["type"] == "UnknownEntity"
    (tmp_path / "ask.csv").write_text("item\nitem 2\n")
    (tmp_path / "mine.csv").write_text("item,rating\nitem 1,5\n")
    assert "unknown" not in typed(*words, "--json").json
