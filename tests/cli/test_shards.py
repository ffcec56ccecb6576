"""Verbs over several processes: the same bytes as in one, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import parsimony
from parsimony.cli import explaining, ranking
from parsimony.knowledge import rule_paths, rule_shards
from parsimony.run import shards

RUNS = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
TIMES = ("seconds", "queries_per_second", "out")


def measures(result):
    return {name: value for name, value in result.items() if name not in TIMES}


@pytest.mark.parametrize("method", ["rules", "complex", "redgnn"])
def test_ranks_in_shards_are_those_of_one_process(typed, monkeypatch, tmp_path, method):
    expected = typed("evaluate", RUNS / method, "--split", "valid", "--json").json
    monkeypatch.setattr(ranking, "SHARD", 8)
    words = ["evaluate", RUNS / method, "--split", "valid", "--json", "--out", "here.parquet"]
    assert measures(typed(*words).json) == measures(expected)
    table = pl.read_parquet("here.parquet")
    assert len(table) == expected["n_queries"]
    assert (1 / table["rank"]).mean() == pytest.approx(expected["metrics"]["mrr"])
    assert not Path("here.parquet.parts").exists()
    if method == "rules":
        words[-1] = "there.parquet"
        assert measures(typed(*words, "--workers", 2).json) == measures(expected)
        assert Path("there.parquet").read_bytes() == Path("here.parquet").read_bytes()


def test_a_file_of_facts_is_explained(typed, monkeypatch, tmp_path):
    monkeypatch.setattr(explaining, "SHARD", 2)
    data = parsimony.load_run(RUNS / "rules").task_.data
    named = [
        (data.entities.name(int(h)), data.relations.name(int(r)), data.entities.name(int(t)))
        for h, r, t in data.train[:3]
    ]
    Path("facts.tsv").write_text("".join("\t".join(fact) + "\n" for fact in named))
    words = ["explain", RUNS / "rules", "--queries", "facts.tsv", "--json"]
    assert typed(*words, "--out", "a.jsonl").json == {"out": "a.jsonl", "facts": 3, "resumed": 0}
    h, r, t = named[2]
    alone = typed("explain", RUNS / "rules", "--head", h, "--relation", r, "--tail", t, "--json")
    assert json.loads(Path("a.jsonl").read_text().splitlines()[2]) == alone.json
    Path("facts.tsv").write_text(f"{h}\t{r}\t{t}\n{h}\t{r}\tnobody\n")
    assert typed(*words, "--out", "c.jsonl", code=2).error["where"] == "facts.tsv:2"
    Path("facts.tsv").write_text(f"head\trelation\ttail\n{h}\t{r}\tnobody\n")
    assert typed(*words, "--out", "c.jsonl", code=2).error["where"] == "facts.tsv:2"
    Path("facts.tsv").write_text(f"{h}\t{r}\t{t}\n\n{h}\t{r}\tnobody\n")
    assert typed(*words, "--out", "c.jsonl", code=2).error["where"] == "facts.tsv:3"


KILLED = """
import os, signal, sys
from parsimony.run import shards
write, made = shards.write_atomic, []

def write_and_die(path, *more):
    write(path, *more)
    made.append(path.name.startswith("paths-"))
    if sum(made) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

shards.write_atomic = write_and_die
from parsimony.knowledge import rule_paths, rule_shards
rule_paths.RANGE = rule_shards.SHARD = 3e4
from parsimony.cli import app
sys.argv = ["parsimony", "rules", "royal", "--out", "rules.txt"]
app()
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_killed_mining_goes_on_with_the_same_rules(typed, monkeypatch, tmp_path):
    """The command dies by kill -9; the same command keeps its shards and writes the same file."""
    typed("rules", "royal", "--out", "whole.txt")
    environment = {**os.environ, "PYTHONPATH": str(Path(parsimony.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL and not Path("rules.txt").exists()
    parts = Path("rules.txt.parts")
    before, written = {path.name for path in parts.glob("paths-*")}, []
    assert len(before) == 2
    monkeypatch.setattr(rule_paths, "RANGE", 3e4)
    monkeypatch.setattr(rule_shards, "SHARD", 3e4)
    write = shards.write_atomic
    monkeypatch.setattr(
        shards, "write_atomic", lambda path, *more: written.append(path.name) or write(path, *more)
    )
    typed("rules", "royal", "--out", "rules.txt")
    assert written and not before & {*written}
    assert Path("rules.txt").read_bytes() == Path("whole.txt").read_bytes()
    assert not parts.exists()
