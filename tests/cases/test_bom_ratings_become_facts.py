"""Excel's "CSV UTF-8" of user, item, rating is a table of ratings, as without its mark."""

from __future__ import annotations

import json

import pytest
from tests.ratings.small_ratings import tastes, write_csv
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.problems import kind_of, method_for
from parsimony.ratings.table import load_ratings


def typed(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout


@pytest.fixture
def plain(tmp_path):
    return write_csv(tastes(), tmp_path / "plain.csv")


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: "\ufeff" + text,
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: "\n".join(",".join(f'"{c}"' for c in r.split(",")) for r in text.splitlines()),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace("user,item,rating", "UserId,Movie ID,Rating"),
        lambda text: text.replace("user,item,rating", "customer,product,stars"),
    ],
    ids=["mark", "mark and CRLF", "quotes", "semicolons", "other case", "other words"],
)
def test_ratings_however_they_are_written(plain, tmp_path, rewrite):
    path = tmp_path / "other.csv"
    path.write_text(rewrite(plain.read_text()), encoding="utf-8", newline="")
    assert kind_of(str(path)) == "coldstart"
    assert method_for(str(path)) == "coldnas"
    data = load_ratings(path, support=6)
    assert data.content_hash == load_ratings(plain, support=6).content_hash
    (note,) = [note for note in data.notes if note.startswith("read as a table of ratings")]
    assert "--task link reads it as facts" in note


def test_the_verb_says_what_it_read_and_task_wins(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bom.csv").write_text("\ufeff" + plain.read_text(), encoding="utf-8")
    code, out = typed("fit", "bom.csv", "--method", "means", "--set", "support=6", "--json")
    assert code == 0
    assert any("read as a table of ratings" in note for note in json.loads(out)["notes"])
    code, out = typed("fit", "bom.csv", "--task", "link", "--method", "rules", "--json")
    assert code == 0
    notes = json.loads(out)["notes"]
    assert any("read as facts: user, rating, item" in note for note in notes)
    for words in (["audit"], ["rules"], ["search", "--space", "bilinear"]):
        code, out = typed(words[0], "bom.csv", *words[1:], "--json")
        error = json.loads(out)["error"]
        assert (code, error["type"]) == (2, "UsageError")
        assert "--task link" in error["remedy"]
    assert typed("audit", "bom.csv", "--task", "link")[0] == 0
