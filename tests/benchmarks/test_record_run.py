"""A finished run folder becomes the result of an entry, if it is that entry's training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.link.reasoning.small_data import TINY, compositions

from parsimony.pipeline import fit

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "record_run.py"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A list of two runs, and a run folder of the first."""
    root = tmp_path_factory.mktemp("root")
    fit(compositions(), out=root / "run", parameters=TINY, epochs=2, seed=0)
    settings = " ".join(f"--set {key}={value}" for key, value in TINY.items())
    runs = "".join(
        f'[[run]]\nname = "tiny-{epochs}"\ntarget = 0.5\n'
        f'command = "parsimony fit compositions --epochs {epochs} {settings}"\n'
        for epochs in (2, 3)
    )
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "runs.toml").write_text(runs)
    return root


def record(root, *words):
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(root / "run"), *words, "--root", str(root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_recorded_as_the_queue_would(root):
    done = record(root, "tiny-2")
    assert done.returncode == 0, done.stderr
    text = (root / "benchmarks" / "results" / "tiny-2.json").read_text()
    assert str(root) not in text
    result = json.loads(text)
    metrics = json.loads((root / "run" / "metrics.json").read_text())
    assert result["test"]["metrics"] == metrics["test"]["metrics"]
    assert result["fit"]["epochs"] == 2
    assert result["ledger"]["parameters"] == result["fit"]["parameters"]
    table = (root / "benchmarks" / "results" / "README.md").read_text()
    assert f"{metrics['test']['metrics']['mrr']:.4f}" in table
    assert "| tiny-3 | not run |" in table


def test_another_training_is_refused_or_its_differences_recorded(root):
    done = record(root, "tiny-3")
    assert done.returncode == 2
    assert "epochs: 3 → 2" in done.stderr
    done = record(root, "tiny-4")
    assert "did you mean" in done.stderr
    done = record(root, "tiny-3", "--anyway")
    assert done.returncode == 0, done.stderr
    result = json.loads((root / "benchmarks" / "results" / "tiny-3.json").read_text())
    assert result["differs_from_command"] == {"epochs": [3, 2]}
