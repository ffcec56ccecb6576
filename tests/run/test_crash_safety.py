"""kill -9 at random moments: a run folder opens at its last or its previous checkpoint."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from parsimony.errors import ParsimonyError, RunExists
from parsimony.run import RunFolder
from parsimony.run.atomic import is_temporary

CONFIG = {"method": "none"}
# Announces every checkpoint before and after it is written, and never ends by itself.
WRITER = """
import os, sys
import numpy as np
from parsimony.run import RunFolder
with RunFolder.create(sys.argv[1], {"method": "none"}, resume=True) as run:
    found = run.load_checkpoint()
    n = found[0]["n"] if found else 0
    while True:
        n += 1
        os.write(1, b"%d begun\\n" % n)
        run.log(epoch=n)
        run.save_checkpoint({"n": n}, {"w": np.full(100_000, n, np.float32)})
        run.write_json("metrics.json", {"n": n, "filler": "x" * 10_000})
        os.write(1, b"%d saved\\n" % n)
"""


def start(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip


def kill(process):
    process.send_signal(signal.SIGKILL)
    out = process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    return out.decode().split("\n")[:-1]


@contextlib.contextmanager
def running(process):
    """Never leave a writer behind, whatever the test finds."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_killed_at_any_moment_a_run_goes_on_from_its_last_checkpoint(tmp_path):
    path = tmp_path / "run"
    generator = np.random.default_rng(0)
    known = 0
    for _ in range(10):
        with running(start(WRITER, path)) as process:
            lines, wanted = [], generator.integers(1, 5)
            while sum("saved" in line for line in lines) < wanted:
                lines.append(process.stdout.readline().decode())
                assert lines[-1], "the writer did not start: is the lock stale?"
            time.sleep(generator.uniform(0, 0.01))  # at any moment of what follows
            lines += kill(process)
        saved = max([known] + [int(line.split()[0]) for line in lines if "saved" in line])
        begun = max([known + 1] + [int(line.split()[0]) for line in lines])
        # What a reader finds before anybody repairs anything.
        state, tensors = RunFolder(path, {}).load_checkpoint() or ({"n": 0}, {})
        assert saved <= state["n"] <= begun
        assert all(np.all(w == state["n"]) for w in tensors.values())
        metrics = RunFolder(path, {}).read_json("metrics.json", dict)
        # Metrics follow their checkpoint; rounds that die between the two leave them behind.
        assert metrics is None or metrics["n"] <= state["n"]
        known = state["n"]
    assert known > 10
    with RunFolder.create(path, CONFIG, resume=True) as run:
        assert run.load_checkpoint()[0]["n"] == known
        assert not [p for p in path.rglob("*") if is_temporary(p)], "a kill's leavings stay"
    assert RunFolder.open(path).finished


# A run in a forked child that dies at the n-th call which changes the disk: every moment, not a
# random one. The outcome of each child goes to stdout.
STEPWISE = """
import os, signal, sys
from pathlib import Path
import numpy as np
from parsimony.run import RunFolder

left = 0
def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
def dying(function):
    def call(*args, **kwargs):
        step()
        try:
            return function(*args, **kwargs)
        finally:
            step()
    return call
os.fsync, os.replace, Path.unlink = map(dying, (os.fsync, os.replace, Path.unlink))

def work(path):
    with RunFolder.create(path, {"method": "none"}, resume=True) as run:
        found = run.load_checkpoint()
        n = found[0]["n"] if found else 0
        while n < 3:
            n += 1
            run.log(epoch=n)
            run.save_checkpoint({"n": n}, {"w": np.full(10, n, np.float32)})
        run.save_model({"w": np.full(10, n, np.float32)})
        run.write_json("metrics.json", {"n": n})

def in_child(path, steps):
    global left
    child = os.fork()
    if child == 0:
        left = steps
        try:
            work(path)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def go():
    for at in range(1000):
        path = Path(sys.argv[1]) / str(at)
        first = in_child(path, at)
        if first not in (0, -signal.SIGKILL):
            sys.exit(f"step {at}: {first}")
        if first == 0:
            break
        if (path / "checksums.json").exists():
            RunFolder.open(path)  # sealed: nothing may be missing
        second = in_child(path, 1000)
        if second != 0:
            sys.exit(f"after step {at}: {second}")
go()
"""


def test_killed_at_every_write_the_run_ends_with_the_same_files(tmp_path):
    def ends(path):
        assert RunFolder.open(path).finished
        assert not [p for p in path.rglob("*") if is_temporary(p)]
        names = ("model.safetensors", "metrics.json", "config.toml", "checksums.json")
        return {name: (path / name).read_bytes() for name in names}

    subprocess.run([sys.executable, "-c", STEPWISE, str(tmp_path)], check=True)
    paths = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    assert len(paths) > 40
    uninterrupted = ends(paths[-1])
    for path in paths:
        assert ends(path) == uninterrupted, path.name


def test_a_lock_lives_as_long_as_its_process(tmp_path):
    with running(start(WRITER, tmp_path / "run")) as process:
        for _ in range(2):
            process.stdout.readline()
        with pytest.raises(RunExists, match=rf"process {process.pid} is writing"):
            RunFolder.create(tmp_path / "run", CONFIG, resume=True)
        kill(process)
    assert (tmp_path / "run" / ".lock").read_text() == str(process.pid), "killed: it stays"
    with RunFolder.create(tmp_path / "run", CONFIG, resume=True) as run:
        assert (run.path / ".lock").read_text() == str(os.getpid())


def test_of_many_that_start_at_once_one_writes(tmp_path):
    barrier = threading.Barrier(8)
    inside, won, lost = [], [], []

    def go():
        barrier.wait()
        try:
            with RunFolder.create(tmp_path / "run", CONFIG, resume=True) as run:
                inside.append(1)
                assert len(inside) == 1
                run.save_checkpoint({"n": 1}, {})
                time.sleep(0.02)
                inside.pop()
            won.append(run)
        except ParsimonyError as error:
            lost.append(error)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won
    assert len(won) + len(lost) == 8
    assert all(isinstance(error, RunExists) for error in lost)
    assert RunFolder.open(tmp_path / "run").finished
