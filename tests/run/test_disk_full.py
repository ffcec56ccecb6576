"""A disk that is full, or that nobody may write to: a typed error, and nothing half-written.

The limit of the size of files (``ulimit -f``) stands for the full disk: it needs no rights.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parsimony.errors import CannotWrite
from parsimony.pipeline import fit
from parsimony.run.atomic import is_temporary, write_atomic, write_together
from parsimony.run.folder import RunFolder

resource = pytest.importorskip("resource")


@pytest.fixture
def small_files(monkeypatch):
    """No file grows beyond 64 kB."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python would keep half a module
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


def test_all_files_of_a_set_or_none(tmp_path, small_files):
    first, second = tmp_path / "a", tmp_path / "b"
    write_together({first: "old", second: "old"})
    with pytest.raises(CannotWrite, match=r"cannot be written.*free space") as caught:
        write_together({first: "new", second: "x" * 100_000})
    assert caught.value.where == str(second)
    assert isinstance(caught.value, OSError)
    assert first.read_text() == second.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_half_a_line_does_not_stay_in_the_log(tmp_path, small_files):
    run = RunFolder(tmp_path, {})
    run.log(epoch=1)
    with pytest.raises(CannotWrite):
        for _ in range(1000):
            run.log(epoch=2, filler="x" * 1000)
    run.log(epoch=3)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert {json.loads(line)["epoch"] for line in lines} == {1, 2, 3}


def test_a_device_that_is_full():
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError):
        Path("/dev/full").write_text("x")
    with pytest.raises(CannotWrite):
        write_atomic("/proc/version", "x")


def test_a_training_on_a_full_disk_says_what_was_kept_and_goes_on(tmp_path):
    """No file may be longer than 20 kB, which the settings fit into and a checkpoint does not."""
    words = [sys.executable, "-m", "parsimony", "fit", "royal", "--method", "complex", "--out",
             "run", "--epochs", "2", "--set", "dim=64", "--json"]  # fmt: skip
    # Its kernels are compiled before: Numba, too, has no place for them on a full disk.
    fit("royal", "complex", parameters={"dim": 64}, epochs=1)
    limits = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limits += "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    code = f"{limits}import os, sys; os.execv(sys.executable, {words!r})"
    # Python itself would keep half of a compiled module, which nobody could import again.
    limited = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                          text=True, env=limited)  # fmt: skip
    assert done.returncode == 1, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "CannotWrite"
    assert "free space" in error["remedy"]
    assert "parsimony fit royal" in error["remedy"]
    assert not [p for p in tmp_path.rglob("*") if is_temporary(p)]
    again = subprocess.run([*words, "--resume"], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert RunFolder.open(tmp_path / "run").finished
