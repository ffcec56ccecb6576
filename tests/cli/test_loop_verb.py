"""parsimony loop, as it is typed."""

from __future__ import annotations

import json
import shutil

import pytest
from benchmarks.small_data import write_royal_part

from parsimony.datasets import load
from parsimony.knowledge.book import read_book
from parsimony.link.task import LinkTask
from parsimony.search.rounds.words import sentence

SMALL = ["--method", "distmult", "--set", "dim=8", "--set", "epochs=2", "--set", "threads=1"]


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    return write_royal_part(tmp_path_factory.mktemp("royal") / "part")


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    """So that a loop takes seconds, and learns its rules from the model."""
    monkeypatch.setattr("parsimony.link.distillation.student.PER_RELATION", 20)
    monkeypatch.setattr("parsimony.search.rounds.learned.MIN_SUPPORT", 10**6)


def test_once_around_and_what_can_be_done_with_it(typed, tmp_path, part):
    words = ["loop", part, *SMALL, "--rounds", 2, "--budget", "2h", "--out", "run"]
    done = typed(*words, "--json").json
    first, run = done["rounds"][0], tmp_path / "run"
    assert first["trained"] and first["epochs"] == 2
    assert first["distilled"]["fidelity"]["rules"] >= 1
    assert sum(first["verdicts"].values()) >= first["entries"]
    second = done["rounds"][1]  # the same facts follow: the same model with what was learned
    assert not second["trained"] and second["alone"] == first["alone"]
    assert second["rules"] == first["kept_rules"] > first["rules"]
    assert done["ended"] in ("rounds", "nothing gained", "nothing new")
    # A half decides, the other measures; both are needed to fill validation.
    task = LinkTask(load(part))
    assert sum(done["halves"].values()) == task.n_facts("valid")
    # What is kept says where it comes from, and what broke is not in it.
    book = read_book(run / "knowledge.toml")
    best = done["rounds"][done["best"] - 1]
    assert len(book.entries) == best["kept"]
    assert {e.provenance.origin for e in book.entries} <= {"mined", "distilled"}
    assert all("held-out" in e.provenance.metric for e in book.entries)
    kept = {entry.item.clause for entry in book.entries}
    assert not any(row["text"].split("  ")[-1] in kept for row in best["dropped"])
    # It is a run: it predicts, explains, and its test is what was told.
    assert typed("evaluate", "run", "--json").json["metrics"]["mrr"] == done["test"]["mrr"]
    head, relation, _ = task.data.test[0].tolist()
    asked = ["--head", task.data.entities.name(head), "--relation",
             task.data.relations.name(relation)]  # fmt: skip
    assert typed("predict", "run", *asked, "--json").json["answers"]
    typed("apply", "run/distilled.txt", "run", "--set", "aggregation=noisy-or", "--json")
    page = (run / "loop.html").read_text()
    assert "Round 1" in page and done["sentence"].partition(":")[0] in page
    assert "http" not in page.split("</head>")[1]
    # No round has read test.
    runs = sorted((run / "search/runs").iterdir())
    assert [(path / "metrics.json").exists() for path in runs] == [
        path.name == f"round-{done['best']}" for path in runs
    ]
    _resumes_where_it_was_killed(typed, tmp_path, words, done)


def _resumes_where_it_was_killed(typed, tmp_path, words, done):
    error = typed(*words, "--json", code=2).error
    assert error["type"] == "RunExists" and "--resume" in error["remedy"]
    log = tmp_path / "run/search/trials.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    steps = [json.loads(line).get("structure") for line in lines]
    log.write_text("".join(lines[: steps.index("round 1: measure")]) + '{"struct')
    for path in tmp_path.glob("run/search/round-1-*.json"):
        if not path.name.endswith("fit.json"):
            path.unlink()
    for path in tmp_path.glob("run/search/runs/round-2"):
        shutil.rmtree(path)
    again = typed(*words, "--resume", "--json").json
    rows = ("mrr", "alone", "kept", "verdicts", "epochs")
    assert [[r[k] for k in rows] for r in again["rounds"]] == [
        [r[k] for k in rows] for r in done["rounds"]
    ]
    assert again["test"] == done["test"]
    other = [*words, "--resume", "--set", "dim=4", "--json"]
    assert typed(*other, code=2).error["type"] == "LedgerMismatch"


def test_what_it_will_do_is_said_and_nothing_written(typed, tmp_path, part):
    done = typed("loop", part, *SMALL, "--dry-run", "--json").json
    assert done["method"] == "distmult" and done["estimate"]["epochs"] == 2
    assert not [*tmp_path.iterdir()]


def test_wrong_usage(typed, part, tmp_path):
    error = typed("loop", part, "--method", "rules", "--json", code=2).error
    assert (error["type"], "no model" in error["message"]) == ("InvalidParameter", True)
    (tmp_path / "b.txt").write_text("fathr(X,Y) <- father(X,Y)\n")
    error = typed("loop", part, *SMALL, "--knowledge", "b.txt", "--json", code=2).error
    assert error["type"] == "UnknownRelation"


def test_halves_share_nothing_and_their_filters_know_all(part):
    task = LinkTask(load(part))
    one, other = task.halves(5)
    rows = [{*map(tuple, each.facts_of("valid").tolist())} for each in (one, other)]
    assert not rows[0] & rows[1]
    assert rows[0] | rows[1] == {*map(tuple, task.data.valid.tolist())}
    whole = task.queries("valid")
    known = {q: {*whole.known[a:b].tolist()} for q, a, b in _filters(whole)}
    for half in (one, other):
        assert all(
            known[q] == {*queries.known[a:b].tolist()}
            for queries in [half.queries("valid")]
            for q, a, b in _filters(queries)
        )
    assert one.data.content_hash == task.data.content_hash


def _filters(queries):
    pairs = zip(queries.head.tolist(), queries.relation.tolist(), strict=True)
    return zip(pairs, queries.known_ptr[:-1], queries.known_ptr[1:], strict=True)


def test_what_a_person_states_stays(typed, part, tmp_path):
    one, other, *_ = load(part).relations.names
    (tmp_path / "b.txt").write_text(f"{one}(X,Y) <- {other}(Y,X)\n")
    words = ["--rounds", 1, "--budget", "2h", "--out", "run", "--knowledge", "b.txt", "--json"]
    done = typed("loop", part, *SMALL, *words).json
    stated = [e for e in read_book(tmp_path / "run/knowledge.toml").entries
              if e.provenance.origin == "stated"]  # fmt: skip
    assert [entry.item.clause for entry in stated] == [f"{one}(X,Y) <- {other}(Y,X)"]
    shown = next(row for row in done["rounds"][0]["mined"] if row["origin"] == "stated")
    assert shown["text"].endswith(stated[0].item.clause)


def test_rules_that_are_better_alone_are_said_to_be():
    gain = {"by": 0.0, "low": 0.0, "high": 0.0}
    row = {"mrr": 0.5, "alone": 0.4, "rules_alone": 0.6, "rules_alone_on": 64, "answers": 90,
           "with_book": gain, "distilled": None}  # fmt: skip
    found = {"rounds": [row], "best": 1, "method": "redgnn", "test": {}}
    assert "alone, without a model, reach 0.6000 on 64 of the 90 answers, more" in sentence(found)
    row["rules_alone"] = 0.45
    assert "without a model" not in sentence(found)
