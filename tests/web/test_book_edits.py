"""The book of a run with a person's edits, which the run's folder never sees."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from parsimony.knowledge.book import read_book
from parsimony.methods import load_run
from parsimony.web.book_edits import EditedBook

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"
RULE = "cousin(X,Y) <- sister(X,A), cousin(A,Y)"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def content(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_add_change_forget_save(ask, client, tmp_path):
    before = content(RUNS / "rules")
    book = "/api/v1/runs/rules/book"
    total = ask("runs/rules/book")["total"]
    measured = ask("runs/rules/book/measure", {"text": "sister(X,Y) <- brother(X,Y)"})
    assert measured["support"] == 0 and measured["of"] > 0
    assert ask("runs/rules/book")["total"] == total
    own = ask("runs/rules/book/entries", {"text": "wife(X,Y) <- cousin(X,Y)"}, 201)
    assert own["edited"] and own["of"] > 0 and own["origin"] == "stated"
    symmetric = client.put(f"{book}/entries/{own['id']}", json={"text": "symmetric(cousin)"})
    assert symmetric.json()["kind"] == "axiom" and symmetric.json()["confidence"] == 1.0
    first = ask("runs/rules/book", limit=1, relation="sister")["entries"][0]
    assert client.delete(f"{book}/entries/{first['id']}").json()["forgotten"]
    found = ask("runs/rules/book", q="symmetric")
    assert [entry["text"] for entry in found["entries"]] == [symmetric.json()["text"]]
    assert [entry["id"] for entry in found["forgotten"]] == [first["id"]]
    file = tmp_path / "book.toml"
    file.write_bytes(client.get(f"{book}/file").content)
    saved = read_book(file)
    assert len(saved.entries) == total == ask("runs/rules/book")["total"]
    assert first["clause"] not in {entry.item.clause for entry in saved.entries}
    assert not client.delete(f"{book}/entries/{first['id']}").json()["forgotten"]
    assert ask("runs/rules/book")["total"] == total + 1
    assert content(RUNS / "rules") == before


def test_wrong_entries_are_refused(ask, client):
    for text in ("nonsense", "cousin(X,Y) <-", "a\nb"):
        assert ask("runs/rules/book/entries", {"text": text}, 400)["error"]["type"] == "FormatError"
    unknown = ask("runs/rules/book/entries", {"text": "cousins(X,Y) <- cousin(Y,X)"}, 404)
    assert "cousin" in unknown["error"]["remedy"]
    assert client.delete("/api/v1/runs/rules/book/entries/none").status_code == 400


def test_edits_are_kept(tmp_path):
    graph = load_run(RUNS / "rules").task_.train_graph
    known = read_book(RUNS / "rules" / "knowledge.toml")
    file = tmp_path / "new" / "edits.toml"
    book = EditedBook(known, graph, file)
    added = book.add(RULE.replace("sister", "brother"))
    gone = book.shown(None, "", "text", 0, 1)["entries"][0]
    book.forget(gone["id"])
    again = EditedBook(known, graph, file)
    assert again.shown(None, "", "text", 0, 1000) == book.shown(None, "", "text", 0, 1000)
    assert added["id"] in {row["id"] for row in again.shown(None, "", "text", 0, 1000)["entries"]}
    assert again.version == book.version != EditedBook(known, graph).version
    assert again.file() == book.file()
