"""Processes of this machine: a killed one's job is done again, errors and limits are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import parsimony
from parsimony.errors import InvalidParameter, UnknownParameter, WorkerLost
from parsimony.run.engine import LocalEngine, ProcessEngine, resolve_engine

JOBS = [{"number": number} for number in range(5)]


@dataclass(frozen=True)
class Squared:
    """Squares; dies once, where ``once`` is not there yet, or always at a number."""

    once: Path
    always: int | None = None

    def __call__(self, number: int) -> int:
        if number == self.always or not self.once.exists():
            self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 7:
            raise ValueError("seven")
        return number * number


def asked(engine, function, jobs=JOBS, go_on=lambda: True):
    return dict(engine.run(function, jobs, go_on))


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_the_job_of_a_killed_process_is_done_again(tmp_path):
    expected = {number: number * number for number in range(5)}
    assert asked(ProcessEngine(2), Squared(tmp_path / "there")) == expected
    assert asked(LocalEngine(), Squared(tmp_path / "there")) == expected
    left = iter([True, True])
    found = asked(ProcessEngine(1), Squared(tmp_path / "once"), go_on=lambda: next(left, False))
    assert found == {0: 0, 1: 1}  # asked about once


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_a_job_that_always_kills_is_given_up(tmp_path):
    (tmp_path / "there").touch()
    with pytest.raises(WorkerLost, match="fewer --workers"):
        asked(ProcessEngine(1), Squared(tmp_path / "there", always=0))


STARTED = """
import os, sys
from parsimony.run.engine import ProcessEngine
engine = ProcessEngine(1)
print(dict(engine.run(os.getpid, [{}], lambda: True))[0], flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="reads /proc")
def test_processes_end_with_the_one_that_asks():
    environment = {**os.environ, "PYTHONPATH": str(Path(parsimony.__file__).parents[1])}
    asks = subprocess.Popen(
        [sys.executable, "-c", STARTED], env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    worker = Path("/proc") / asks.stdout.readline().strip()
    assert worker.is_dir()
    asks.kill()
    asks.communicate()
    until = time.monotonic() + 60
    while state(worker) not in ("", "Z"):
        assert time.monotonic() < until
        time.sleep(0.02)


def state(process):
    """The letter of its state; "" where it is gone, perhaps since we looked."""
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def test_large_arrays_are_shared_and_come_whole(tmp_path):
    large = [np.arange(70_000), np.arange(10), np.linspace(0, 1, 30_000)]
    found = asked(ProcessEngine(1), partial(total, large), [{"number": 1}, {"number": 2}])
    assert found == {0: total(large, 1), 1: total(large, 2)}


def total(arrays, number):
    return [array[:number].sum() for array in arrays]


def test_errors_and_ends_pass_through(tmp_path):
    (tmp_path / "there").touch()
    with pytest.raises(ValueError, match="seven"):
        asked(ProcessEngine(1), Squared(tmp_path / "there"), [{"number": 7}])
    left = iter([True, True])
    found = asked(ProcessEngine(1), Squared(tmp_path / "there"), go_on=lambda: next(left, False))
    assert found == {0: 0, 1: 1}


def test_engines_are_resolved_by_name():
    assert isinstance(resolve_engine("local"), LocalEngine)
    assert resolve_engine("local", processes=3).slots == 3
    with pytest.raises(InvalidParameter, match="address"):
        resolve_engine("local", address="here:1")
    with pytest.raises(InvalidParameter, match="workers"):
        resolve_engine("ray", processes=2)
    with pytest.raises(UnknownParameter, match="local"):
        resolve_engine("lokal")
