"""Processes of this machine: a killed one's job is done again, errors and limits are told."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

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
