"""The loop over the long runs, as it is used: trained, recorded, skipped, tried again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from parsimony import estimators
from parsimony.datasets import names

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COMMAND = "parsimony fit royal --method rules --set max_length=2 --set constants=false"
RUNS = f"""
[[run]]
name = "royal"
command = "{COMMAND}"
seeds = [0, 1]
target = 0.5
published = 0.99999

[[run]]
name = "wrong"
command = "parsimony fit royal --method nonsense"
"""


@pytest.fixture
def path(monkeypatch):
    """Let ``import run_all`` find the scripts."""
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.slow
def test_trained_recorded_and_not_again(path, tmp_path, monkeypatch, capfd):
    import run_all

    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "runs.toml").write_text(RUNS)

    def run(*words):
        run_all.main(list(words), tmp_path)
        return capfd.readouterr().out

    said = run("royal-1")
    assert said.startswith(f"royal-1: {COMMAND} --seed 1\n")
    result = json.loads((tmp_path / "results" / "royal-1.json").read_text())
    metrics = json.loads((tmp_path / "runs" / "royal-1" / "metrics.json").read_text())
    assert result["test"]["metrics"] == metrics["test"]["metrics"]
    assert result["ledger"]["cpu_seconds"] > 0
    assert "per_relation" not in result["test"]
    assert str(tmp_path) not in json.dumps(result)
    table = (tmp_path / "results" / "README.md").read_text()
    assert "| royal-0 | not run |" in table
    assert f"| royal-1 | {result['test']['metrics']['mrr']:.4f} [" in table
    assert "mean [range]" not in table
    other = result | {"command": f"{COMMAND} --seed 0"}
    (tmp_path / "results" / "royal-0.json").write_text(json.dumps(other))
    said = run()
    assert "royal-" not in said, "trained twice"
    assert "wrong:" in said
    assert not (tmp_path / "results" / "wrong.json").exists()
    table = (tmp_path / "results" / "README.md").read_text()
    assert "**royal**, mean [range] of 2 seeds" in table
    assert "| wrong | not run |" in table


def test_the_list_of_this_repository_is_right(path):
    from run_all import read_runs

    runs = read_runs(BENCHMARKS / "runs.toml")
    assert len({run["name"] for run in runs}) == len(runs) > 40
    for run in runs:
        assert set(run) <= {"name", "command", "seeds", "target", "published"}
        words = shlex.split(run["command"])
        assert words[:2] == ["parsimony", "fit"]
        assert words[2] in names()
        assert words[words.index("--method") + 1] in estimators()
        assert "--time-budget" in words or "--epochs" in words
        assert not {"--out", "--resume", "--json"} & set(words)
