"""predict as a user types it: one query, candidates, and resumable batches."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import parsimony
from parsimony.cli.batch import run_batch
from parsimony.methods import load_run
from parsimony.run import shards
from parsimony.run.engine import LocalEngine, ProcessEngine

RULES = Path(__file__).parents[1] / "fixtures" / "runs_0_1" / "rules"
LEOPOLD = "Leopold_I_of_Belgium"
ERNEST = "Ernest_II_of_Saxe-Coburg_and_Gotha"


def test_tails_and_heads(typed, trained):
    done = typed("predict", trained, "--head", LEOPOLD, "--relation", "uncle", "--json").json
    assert done["query"] == {"head": LEOPOLD, "relation": "uncle"}
    assert len(done["answers"]) == 10
    scores = [answer["score"] for answer in done["answers"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= answer["probability"] <= 1 for answer in done["answers"])
    heads = typed("predict", trained, "--tail", ERNEST, "--relation", "uncle", "--top", 3, "--json")
    assert heads.json["query"] == {"tail": ERNEST, "relation": "uncle"}
    assert len(heads.json["answers"]) == 3


def test_readable_answers_have_readable_names(typed, trained):
    out = typed("predict", trained, "--head", LEOPOLD, "--relation", "uncle").out
    assert "(Leopold I of Belgium, uncle, ?)" in out
    assert "score" in out


def test_without_known_facts(typed, trained):
    words = ["predict", trained, "--head", LEOPOLD, "--relation", "brother", "--json"]
    data = load_run(trained).task_.data
    brother, leopold = data.relations.index("brother"), data.entities.index(LEOPOLD)
    known = {data.entities.name(int(t)) for h, r, t in data.train if h == leopold and r == brother}
    assert known
    kept = {answer["entity"] for answer in typed(*words).json["answers"]}
    dropped = {answer["entity"] for answer in typed(*words, "--drop-known").json["answers"]}
    assert kept & known
    assert not dropped & known


def test_candidates(typed, trained, tmp_path):
    (tmp_path / "some.txt").write_text(f"{ERNEST}\n\nVictoria_of_the_United_Kingdom\r\n")
    words = ["predict", trained, "--head", LEOPOLD, "--relation", "uncle", "--json"]
    done = typed(*words, "--candidates", "some.txt").json
    assert {answer["entity"] for answer in done["answers"]} == {
        ERNEST, "Victoria_of_the_United_Kingdom",
    }  # fmt: skip
    (tmp_path / "some.txt").write_text("Ernest_II_of_Saxe-Coburg_and_Goth\n")
    error = typed(*words, "--candidates", "some.txt", code=2).error
    assert error["type"] == "UnknownEntity"
    assert error["where"] == "some.txt:1"
    assert ERNEST in error["remedy"]
    (tmp_path / "some.txt").write_text("\n")
    assert typed(*words, "--candidates", "some.txt", code=2).error["type"] == "FormatError"


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["--head", "Leopold_I_of_Belgum", "--relation", "uncle"], "UnknownEntity", LEOPOLD),
        (["--head", LEOPOLD, "--relation", "ucnle"], "UnknownRelation", "uncle"),
        (["--head", LEOPOLD, "--tail", ERNEST, "--relation", "uncle"], "UsageError", "--head"),
        (["--relation", "uncle"], "UsageError", "--head"),
        (["--head", LEOPOLD], "UsageError", "--relation"),
        (["--queries", "q.tsv", "--head", LEOPOLD, "--out", "o.parquet"], "UsageError", ""),
        (["--queries", "none.tsv", "--out", "o.parquet"], "MissingFile", ""),
    ],
)
def test_wrong_queries(typed, trained, words, kind, says):
    error = typed("predict", trained, *words, "--json", code=2).error
    assert error["type"] == kind
    assert says in error["remedy"]


def queries_of(run, path, n=None):
    """Write the test facts as queries, tails and heads in turn."""
    data = load_run(run).task_.data
    lines = []
    for i, (h, r, t) in enumerate(data.test[:n].tolist()):
        head, relation, tail = data.entities.name(h), data.relations.name(r), data.entities.name(t)
        lines.append(f"{head}\t{relation}\t?" if i % 2 == 0 else f"?\t{relation}\t{tail}")
    path.write_text("\n".join(lines) + "\n")
    return lines


def test_batch_agrees_with_single_queries(typed, trained, tmp_path):
    lines = queries_of(trained, tmp_path / "q.tsv", 7)
    words = ["predict", trained, "--queries", "q.tsv", "--out", "new/o.parquet", "--top", 4]
    done = typed(*words, "--json").json
    assert done["queries"] == 7
    assert done["answers"] == 28
    frame = pl.read_parquet("new/o.parquet")
    assert frame.columns == [
        "query", "head", "relation", "tail", "rank", "entity", "score", "probability",
    ]  # fmt: skip
    assert frame["rank"].to_list() == [1, 2, 3, 4] * 7
    for i, line in enumerate(lines[:2]):
        head, relation, tail = line.split("\t")
        end = ["--head", head] if tail == "?" else ["--tail", tail]
        single = typed("predict", trained, *end, "--relation", relation, "--top", 4, "--json").json
        mine = frame.filter(pl.col("query") == i)
        assert mine["entity"].to_list() == [answer["entity"] for answer in single["answers"]]
        assert mine["head"].to_list() == [None if head == "?" else head] * 4
    assert os.listdir("new") == ["o.parquet"]
    assert typed(*words, "--json", code=2).error["type"] == "RunExists"


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        (f"{LEOPOLD}\tuncle\t{ERNEST}", "FormatError", "?"),
        ("?\tuncle\t?", "FormatError", "?"),
        (f"{LEOPOLD}\tuncle", "FormatError", ""),
    ],
)
def test_wrong_rows_are_named_by_line(typed, trained, tmp_path, line, kind, says):
    (tmp_path / "q.tsv").write_text(f"{LEOPOLD}\tuncle\t?\n\n{line}\n")
    words = ["predict", trained, "--queries", "q.tsv", "--out", "o.parquet", "--json"]
    error = typed(*words, code=2).error
    assert error["type"] == kind
    assert error["where"] == "q.tsv:3"
    assert says in error["remedy"]
    assert os.listdir() == ["q.tsv"]


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ("Leopold_I_of_Belgum\tuncle\t?", "UnknownEntity", LEOPOLD),
        ("?\tuncle\tErnest", "UnknownEntity", ""),
        (f"{LEOPOLD}\tucnle\t?", "UnknownRelation", "uncle"),
    ],
)
def test_rows_of_unknown_names_are_said_and_the_others_answered(
    typed, trained, tmp_path, line, kind, says
):
    (tmp_path / "q.tsv").write_text(f"{LEOPOLD}\tuncle\t?\n\n{line}\n")
    words = ["predict", trained, "--queries", "q.tsv", "--out", "o.parquet", "--json"]
    done = typed(*words, code=1).json
    (unknown,) = done["unknown"]
    assert (unknown["type"], unknown["where"]) == (kind, "q.tsv:3")
    assert says in unknown["remedy"]
    assert (done["queries"], done["answers"]) == (1, 10)
    (tmp_path / "q.tsv").write_text(f"\n\n{line}\n")
    words[words.index("o.parquet")] = "other.parquet"
    assert typed(*words, code=2).error["where"] == "q.tsv:3"


def test_an_empty_file_of_queries(typed, trained, tmp_path):
    (tmp_path / "q.tsv").write_text("")
    words = ["predict", trained, "--queries", "q.tsv", "--out", "o.parquet", "--json"]
    assert typed(*words, code=2).error["type"] == "FormatError"


def test_shards_of_another_batch_are_refused(trained, tmp_path):
    estimator = load_run(trained)
    queries_of(trained, tmp_path / "q.tsv", 5)
    out = tmp_path / "o.parquet"
    whole = run_batch(estimator, trained, tmp_path / "q.tsv", out, top=3, shard=2)
    assert (whole["queries"], whole["resumed"]) == (5, 0)
    expected = pl.read_parquet(out)
    out.unlink()
    shards.claim(tmp_path / "o.parquet.parts", {"top": 3})
    with pytest.raises(parsimony.errors.RunExists, match="queries"):
        run_batch(estimator, trained, tmp_path / "q.tsv", out, top=3, shard=2)
    shutil.rmtree(tmp_path / "o.parquet.parts")
    shards.claim(tmp_path / "o.parquet.parts", {"top": 3, "book": ["its digest"]})
    with pytest.raises(parsimony.errors.RunExists, match="book differ"):
        shards.claim(tmp_path / "o.parquet.parts", {"top": 3})
    shutil.rmtree(tmp_path / "o.parquet.parts")
    run_batch(estimator, trained, tmp_path / "q.tsv", out, top=3, shard=2)
    assert pl.read_parquet(out).equals(expected)


def test_processes_write_the_same_bytes(tmp_path):
    queries_of(RULES, tmp_path / "q.tsv", 7)
    found = {}
    for name, engine in (("here", LocalEngine()), ("there", ProcessEngine(1))):
        out = tmp_path / f"{name}.parquet"
        run_batch(load_run(RULES), RULES, tmp_path / "q.tsv", out, shard=3, engine=engine)
        found[name] = out.read_bytes()
    assert found["here"] == found["there"]


@pytest.mark.parametrize("more", [["--workers", "2"], ["--engine", "ray"]])
def test_one_question_is_answered_here(typed, trained, more):
    words = ["predict", trained, "--head", LEOPOLD, "--relation", "uncle", *more, "--json"]
    assert "for --queries" in typed(*words, code=2).error["message"]


@pytest.mark.slow
def test_a_killed_batch_goes_on(trained, tmp_path):
    """Kill -9 after some shards; the same call finishes with the same file."""
    queries_of(trained, tmp_path / "q.tsv")
    estimator = load_run(trained)
    run_batch(estimator, trained, tmp_path / "q.tsv", tmp_path / "whole.parquet", shard=10)
    code = (
        "import sys\nfrom pathlib import Path\nfrom parsimony.methods import load_run\n"
        "from parsimony.cli.batch import run_batch\n"
        "run = Path(sys.argv[1])\n"
        "run_batch(load_run(run), run, Path('q.tsv'), Path('o.parquet'), shard=10)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(parsimony.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(trained)], cwd=tmp_path, env=environment
    )
    parts = tmp_path / "o.parquet.parts"
    try:
        for _ in range(6000):
            if len(list(parts.glob("*.parquet"))) >= 3:
                break
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "o.parquet").exists()
    os.chdir(tmp_path)
    done = run_batch(estimator, trained, tmp_path / "q.tsv", tmp_path / "o.parquet", shard=10)
    assert 0 < done["resumed"] < done["queries"]
    assert not parts.exists()
    whole, resumed = (pl.read_parquet(tmp_path / f"{n}.parquet") for n in ("whole", "o"))
    assert resumed.drop("score", "probability").equals(whole.drop("score", "probability"))


def test_a_batch_is_written_as_a_table_only(typed, trained, tmp_path):
    (tmp_path / "q.tsv").write_text(f"{LEOPOLD}\tuncle\t?\n")
    error = typed(
        "predict", trained, "--queries", "q.tsv", "--out", "a.xlsx", "--json", code=2
    ).error
    assert error["type"] == "UsageError"
    assert "a.parquet" in error["remedy"]
    assert not (tmp_path / "a.xlsx").exists()
