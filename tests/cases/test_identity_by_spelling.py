"""Names that only their spelling tells apart: kept, reported, and found with a note."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from parsimony.cli import app

NFC, NFD = "caf\u00e9", "cafe\u0301"
PAIRS = [
    ("Aspirin", "aspirin"), (NFC, NFD), ("new york", "new\u00a0york"), ("salt", "salt "),
    ("water", "wa\u200bter"), ("7", "7.0"), ("7", "07"), ("\ufb01sh", "fish"),
]  # fmt: skip


def typed(*words):
    return json.loads(CliRunner().invoke(app, [*map(str, words), "--json", "--quiet"]).stdout)


def graph(path, *names):
    """A ring of the names and of some others, in two relations."""
    every = [*names, *(f"other {i}" for i in range(12))]
    rows = [f"{a}\tnext\t{b}" for a, b in zip(every, [*every[1:], every[0]], strict=True)]
    rows += [f"{b}\tprevious\t{a}" for a, b in zip(every, [*every[1:], every[0]], strict=True)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("one, other", PAIRS)
def test_audit_reports_what_it_keeps_apart(one, other, tmp_path):
    found = typed("audit", graph(tmp_path / "g.tsv", one, other))
    assert found["counts"]["entities"] == 14
    (note,) = [note for note in found["notes"] if "2 entities differ" in note]
    assert note.isprintable()
    assert "kept apart" in note


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    path = graph(folder / "g.tsv", "Aspirin", NFC, "one", "ONE")
    words = ("--method", "rules", "--out", folder / "run")
    notes = typed("fit", path, *words)["notes"]
    assert any("'one', 'ONE'" in note or "'ONE', 'one'" in note for note in notes)
    return folder / "run"


@pytest.mark.parametrize(
    "given, meant", [("aspirin", "Aspirin"), (" Aspirin", "Aspirin"), (NFD, NFC), ("one", "one")]
)
def test_a_name_is_found_and_said(given, meant, run):
    found = typed("predict", run, "--head", given, "--relation", "Next")
    exact = typed("predict", run, "--head", meant, "--relation", "next")
    assert [a["entity"] for a in found["answers"]] == [a["entity"] for a in exact["answers"]]
    said = [note for note in found["notes"] if note not in exact["notes"]]
    assert len(said) == 1 + (given != meant)
    assert "'Next' is taken for the relation 'next'" in said


def test_several_are_an_error_that_lists_them(run):
    found = typed("predict", run, "--head", "One", "--relation", "next")
    assert found["error"]["type"] == "UnknownEntity"
    assert "'one'" in found["error"]["message"] and "'ONE'" in found["error"]["message"]


def test_explanations_and_candidates_too(run, tmp_path):
    exact = typed("explain", run, "--head", "Aspirin", "--relation", "next", "--tail", NFC)
    found = typed("explain", run, "--head", "aspirin", "--relation", "next", "--tail", NFD)
    assert found["query"] == exact["query"]
    assert len(set(found["notes"]) - set(exact["notes"])) == 2
    (tmp_path / "c.txt").write_text(f"ASPIRIN\n{NFC}\n", encoding="utf-8")
    words = ("--head", "one", "--relation", "next", "--candidates", tmp_path / "c.txt")
    found = typed("predict", run, *words)
    assert {a["entity"] for a in found["answers"]} == {"Aspirin", NFC}
    assert "'ASPIRIN' is taken for the entity 'Aspirin'" in found["notes"]
