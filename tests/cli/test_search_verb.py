"""parsimony search, as it is typed."""

from __future__ import annotations

import json
import re
import shutil
import tomllib

import pytest
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.knowledge import Symbol, read_symbol
from parsimony.knowledge.book import read_book

TINY = ["--set", "dim=16", "--set", "epochs=8", "--set", "per_round=3", "--set", "threads=1"]
SMALL = [*TINY, "--trials", "12"]
FIT = ["--set", "dim=16", "--set", "epochs=2", "--set", "threads=1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """What a search printed, and its folder."""
    folder = tmp_path_factory.mktemp("searches")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = CliRunner().invoke(app, ["search", "royal", *SMALL, "--out", "found", "--json"])
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout), folder / "found"


@pytest.fixture
def done(finished, tmp_path):
    """The same, in a copy."""
    shutil.copytree(finished[1], tmp_path / "found")
    return finished[0]


def test_a_search_and_what_can_be_done_with_it(typed, done, tmp_path):
    assert {"run", "best", "trials"} <= set(done)
    assert done["run"] == "found"
    assert done["trials"] == 12
    symbol = Symbol.parse(done["best"]["symbol"])
    assert done["best"]["name"] == symbol.name
    run = tmp_path / "found"
    assert read_symbol(run / "knowledge.toml") == symbol
    assert (run / "symbols.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((run / "search.json").read_text()) == done
    rows = [json.loads(line) for line in (run / "search" / "trials.jsonl").read_text().splitlines()]
    assert rows[0]["space"] == "bilinear"
    assert len(rows) == 13
    assert {(row["dim"], row["epochs"]) for row in rows[1:]} == {(16, 1), (16, 2)}
    # The best finalist on validation, and the named one beside it.
    finalists = done["comparison"]
    assert len(finalists) == 2
    assert done["best"]["valid"] == max(row["valid"]["mrr"] for row in finalists)
    assert sum("difference" in row for row in finalists) == 1
    for row in finalists:
        low, high = row["valid"]["interval"]
        assert low <= row["valid"]["mrr"] <= high
        assert row["parameters"] == finalists[0]["parameters"]
    measured = typed("evaluate", "found", "--split", "valid", "--json").json
    assert measured["metrics"]["mrr"] == pytest.approx(done["best"]["valid"])
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["parameters"]["dim"] == 16
    assert typed("report", "found", "--json").json["report"].endswith("report.html")
    page = (run / "report.html").read_text()
    assert "The symbol that fits royal" in page
    assert page.count('class="symbol"') == 1 + len(finalists)
    assert "12 trials" in re.sub(r"<[^>]*>", "", page) or ">12<" in page
    words = ["--head", "Leopold_I_of_Belgium", "--relation", "uncle", "--json"]
    assert typed("predict", "found", *words).json["answers"]
    again = typed("fit", "royal", "--symbol", "found/knowledge.toml", *FIT, "--json").json
    assert again["parameters"] == finalists[0]["parameters"]


def test_resuming_goes_on(typed, tmp_path):
    words = ["search", "royal", *TINY, "--algorithm", "random", "--out", "found"]
    first = typed(*words, "--trials", 5, "--json").json
    error = typed(*words, "--trials", 9, "--json", code=2).error
    assert error["type"] == "RunExists"
    assert "--resume" in error["remedy"]
    more = typed(*words, "--trials", 9, "--resume", "--json").json
    assert (first["trials"], more["trials"]) == (5, 9)
    ledger = tmp_path / "found" / "search" / "trials.jsonl"
    before = ledger.read_bytes()
    same = typed(*words, "--trials", 9, "--resume", "--json").json
    assert ledger.read_bytes() == before
    assert same["best"] == more["best"]
    typed("evaluate", "found", "--json")
    for changed in (["search", "nations.tsv"], ["search", "royal", "--set", "lr=0.3"]):
        if changed[1] == "nations.tsv":
            rows = [f"a{i}\tr\ta{i % 7}\n" for i in range(60)]
            (tmp_path / "nations.tsv").write_text("".join(rows))
        words = [*changed, *TINY, "--trials", 9, "--out", "found", "--resume", "--json"]
        error = typed(*words, code=2).error
        assert error["type"] == "LedgerMismatch"
        assert "trials.jsonl" in error["where"]


def test_a_book_keeps_relations_symmetric(typed, tmp_path):
    (tmp_path / "family.rules").write_text("symmetric(cousin)\n")
    words = ["search", "royal", *TINY, "--trials", 2, "--compare", 0, "--out", "found", "--json"]
    done = typed(*words, "--knowledge", "family.rules").json
    assert any("symmetric: 1 of 11 relations" in note for note in done["notes"])
    rows = (tmp_path / "found" / "search" / "trials.jsonl").read_text().splitlines()
    assert json.loads(rows[0])["trainer"]["symmetric"] == ["cousin"]
    (axiom,) = read_book(tmp_path / "found" / "knowledge.toml").axioms
    assert str(axiom) == "symmetric(cousin)"
    (tmp_path / "family.rules").write_text("symmetric(cousins)\n")
    error = typed(*words, "--knowledge", "family.rules", code=2).error
    assert error["where"] == "family.rules:1" and "cousin" in error["remedy"]


def test_rungs_of_a_part_of_the_graph(typed, tmp_path):
    rungs = ["--set", "ladder=[[16,4,0.5],[16,4],[16,8]]"]
    done = typed("search", "royal", *SMALL, *rungs, "--out", "found", "--json").json
    assert done["ladder"] == [[16, 4, 0.5], [16, 4], [16, 8]]
    rows = (tmp_path / "found" / "search" / "trials.jsonl").read_text().splitlines()[1:]
    trials = [json.loads(row) for row in rows]
    shares = {row["stage"]: row["entities"] for row in trials}
    assert shares == {"search": 0.5, "rung 1": 1.0, "rung 2": 1.0}
    part, whole = ({r["parameters"] for r in trials if r["entities"] == s} for s in (0.5, 1.0))
    assert len(part) == len(whole) == 1
    assert part < whole or max(part) < max(whole)
    wrong = ["--set", "ladder=[[16,4,0.001]]"]
    error = typed("search", "royal", *SMALL, *wrong, "--out", "other", "--json", code=2).error
    assert error["type"] == "EmptySplit"
    assert "larger fraction" in error["remedy"]


def test_a_person_edits_a_block(typed, done, tmp_path):
    path = tmp_path / "found" / "knowledge.toml"
    rows = read_symbol(path).matrix().tolist()
    at = next(j for j, value in enumerate(rows[0]) if not value)
    rows[0][at] = -2
    mine = tmp_path / "mine.toml"
    mine.write_text(f"[symbol]\nrows = {rows}\n")
    typed("fit", "royal", "--symbol", "mine.toml", *FIT, "--out", "mine", "--json")
    assert read_symbol(tmp_path / "mine" / "knowledge.toml") == Symbol(rows)
    rows[0][at] = -7
    mine.write_text(f"[symbol]\nrows = {rows}\n")
    error = typed("fit", "royal", "--symbol", "mine.toml", "--json", code=2).error
    assert f"row 1, column {at + 1}" in error["message"]
    assert error["where"] == "mine.toml"


def test_what_a_resumed_search_cost_is_all_of_it(typed, done):
    assert set(done["seconds"]) == {"search", "trials", "final", "training"}
    assert done["found"] in {row["name"] for row in done["comparison"]}
    again = typed("search", "royal", *SMALL, "--out", "found", "--resume", "--json").json
    assert again["seconds"] == done["seconds"]


def test_people_can_read_it(typed):
    out = typed("search", "royal", *TINY, "--trials", "5", "--compare", "0", "--out", "found").out
    assert "best structure" in out
    assert "valid MRR" in out
    assert "parsimony evaluate found" in out


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [(["--trials", "0"], "InvalidParameter", "0 trials"),
     (["--trials", "-3"], "InvalidParameter", "-3 trials"),
     (["--time-budget", "0m"], "InvalidParameter", "duration"),
     (["--space", "bilinea"], "UnknownParameter", "did you mean 'bilinear'"),
     (["--algorithm", "genetic"], "UnknownParameter", "greedy, evolution"),
     (["--engine", "spark"], "UnknownParameter", "local, ray"),
     (["--address", "here:1"], "InvalidParameter", "--engine ray"),
     (["--set", "dim=30"], "InvalidParameter", "4 equal chunks"),
     (["--set", "ladder=[[30,5]]"], "InvalidParameter", "4 equal chunks"),
     (["--set", "ladder=[[32,0]]"], "InvalidParameter", "at least 1"),
     (["--set", "ladder=5"], "InvalidParameter", "dimension, epochs"),
     (["--set", "ladder=[[32,5],[16,5]]"], "InvalidParameter", "do not grow"),
     (["--set", "explore=2"], "InvalidParameter", "explore"),
     (["--set", "ladder=[[32,5,0]]"], "InvalidParameter", "fraction above 0"),
     (["--set", "ladder=[[32,5,0.5],[32,5,0.2]]"], "InvalidParameter", "do not grow"),
     (["--set", "ladder=[[32,5,0.5,1]]"], "InvalidParameter", "fraction of the entities"),
     (["--set", "per_rond=2"], "UnknownParameter", "did you mean 'per_round'"),
     (["--set", "symbol=SimplE"], "UnknownParameter", "fit --symbol")],
)  # fmt: skip
def test_wrong_words(typed, tmp_path, words, kind, told):
    done = typed("search", "royal", "--out", "found", *words, "--json", code=2)
    assert done.error["type"] == kind
    assert told in done.error["message"] + done.error["remedy"]
    assert not (tmp_path / "found").exists()
