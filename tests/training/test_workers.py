"""Several processes train as one: equal numbers, one run folder; a lost one is told and replaced.

Two processes with a shard each are compared with one process that has both shards.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import InvalidParameter, WorkerLost
from parsimony.link.reasoning import reasoner
from parsimony.link.reasoning.epoch import ReasonerLearner
from parsimony.methods import load_run
from parsimony.pipeline import fit
from parsimony.training import workers

SETTINGS = {"dim": 4, "n_layers": 2, "batch": 40, "threads": 2, "dropout": 0.1, "seed": 3}
EPOCHS = 3


def train(out, **options):
    return fit("royal", "redgnn", out=out, parameters=SETTINGS, epochs=EPOCHS, **options)


def weights(run):
    return load_run(run).weights_.flat


def losses(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    keys = ("epoch", "loss", "valid_mrr")
    return [line[key] for line in lines if "epoch" in line for key in keys]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    run = tmp_path_factory.mktemp("alone") / "run"
    return run, train(run)[1]


@pytest.fixture
def kill_at(monkeypatch):
    """Kill the other process when validation is looked at for the n-th time."""
    looks, crews = [], []

    def killing(number):
        validate, shared = ReasonerLearner.validate, reasoner.Reasoner._shared

        def kept(self, crew):
            crews.append(crew)
            return shared(self, crew)

        def killed(self):
            looks.append(1)
            if len(looks) == number:
                os.kill(crews[0].started[0].pid, signal.SIGKILL)
            return validate(self)

        monkeypatch.setattr(reasoner.Reasoner, "_shared", kept)
        monkeypatch.setattr(ReasonerLearner, "validate", killed)
        return monkeypatch.undo

    return killing


def test_two_processes_are_one(alone, tmp_path):
    before, told = alone
    _, summary = train(tmp_path / "run", workers=2)
    np.testing.assert_allclose(weights(tmp_path / "run"), weights(before), atol=1e-5)
    assert losses(tmp_path / "run") == pytest.approx(losses(before), abs=1e-5)
    assert summary["valid"] == pytest.approx(told["valid"], abs=1e-5)
    assert any("2 processes shared every batch" in note for note in summary["notes"])
    config = (tmp_path / "run" / "config.toml").read_text()
    assert config == (before / "config.toml").read_text()
    cost = [json.loads((run / "ledger.json").read_text()) for run in (before, tmp_path / "run")]
    assert cost[1]["flops"] == pytest.approx(cost[0]["flops"], rel=1e-6)


def test_a_lost_worker_is_told_and_the_run_goes_on_with_fewer(alone, tmp_path, kill_at):
    undo = kill_at(2)
    with pytest.raises(WorkerLost, match=r"worker 1 ended \(SIGKILL\).*--resume"):
        train(tmp_path / "run", workers=2)
    assert list((tmp_path / "run" / "checkpoints").iterdir())
    assert not (tmp_path / "run" / "checksums.json").exists()
    undo()
    train(tmp_path / "run", resume=True)
    np.testing.assert_allclose(weights(tmp_path / "run"), weights(alone[0]), atol=1e-5)


@pytest.mark.slow
def test_what_a_launcher_started_leads_and_follows(alone, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    words = ["fit", "royal", "--method", "redgnn", "--epochs", str(EPOCHS), "--json"]
    words += [f"--set={name}={value}" for name, value in SETTINGS.items()]
    words += ["--out", str(tmp_path / "run")]
    other = subprocess.Popen(
        [sys.executable, "-m", "parsimony", *words],
        env={**os.environ, **shared, "RANK": "1"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    for name, value in (shared | {"RANK": "0"}).items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert other.communicate()[0] == b"" and other.returncode == 0
    assert json.loads(result.stdout)["run"] == str(tmp_path / "run")
    np.testing.assert_allclose(weights(tmp_path / "run"), weights(alone[0]), atol=1e-5)


def test_a_worker_that_cannot_start_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerLost, match="did not start"):
        train(tmp_path / "run", workers=2)


def test_who_waits_for_one_that_was_stopped_is_ended(monkeypatch, tmp_path):
    started = []

    def stopped(store, rank, size):
        raise KeyboardInterrupt

    class Started(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(["sleep", "600"], **options)
            started.append(self)
            workers.file_store(arguments[0][4], 2).set("worker 1", "there")

    monkeypatch.setattr(workers, "meet", stopped)
    monkeypatch.setattr(workers.subprocess, "Popen", Started)
    with pytest.raises(KeyboardInterrupt), workers.crew(2, reasoner.Reasoner):
        pass
    assert [each.returncode for each in started] == [-signal.SIGKILL]


def test_what_cannot_be_shared_is_refused_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InvalidParameter, match="3 workers share the 2 shards"):
        train(tmp_path / "run", workers=3)
    with pytest.raises(InvalidParameter, match="trains in one process"):
        fit("royal", "degree", out=tmp_path / "other", workers=2)
    assert not (tmp_path / "other").exists()
