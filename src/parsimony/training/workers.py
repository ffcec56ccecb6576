"""Processes that compute parts of each batch of one training, over torch.distributed (gloo).

The first process trains as it would alone: it has the trainer, the run folder, the budget, every
decision. The others hold the graph; they are told the weights and a batch, and give back their part
of the gradient, which is added up at the first. A broadcast and a sum move what an all-reduce
moves, and processes that decide nothing cannot disagree about when to stop.

``--workers N`` starts N − 1 others here; they find each other by a file in a private folder and
talk over the loopback address. Under ``torchrun``, on one machine or on many, its processes are the
workers. Messages are JSON and arrays: nothing that is received is executed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from parsimony.errors import InvalidParameter, WorkerLost
from parsimony.training.crew import Crew, how_ended
from parsimony.training.launcher import launched, rank_here

__all__ = ["Crew", "crew", "follow", "meet", "release", "serve"]

#: how long a process waits for another that says nothing and has not closed its connection
PATIENCE = timedelta(minutes=30)
#: seconds for workers that are started here
START = 300.0

_met: list[bool] = []  # whether this process has led what a launcher started


@contextmanager
def crew(workers: int, cls: type) -> Iterator[Crew | None]:
    """The first process's side of a training with others; None where it trains alone.

    Parameters
    ----------
    workers
        How many processes share the batches; under a launcher there are as many as it started.
    cls
        The method, whose ``work`` the others do.

    Raises
    ------
    InvalidParameter
        Another number than the launcher started.
    WorkerLost
        One did not start, or is gone.
    """
    if workers == 1:
        yield None
        return
    size = launched()
    if size not in (0, workers):
        raise InvalidParameter(
            f"{workers} workers, but the launcher started {size} processes",
            remedy="leave --workers out under torchrun",
        )
    if rank_here():
        raise InvalidParameter(
            "the first process of a launcher leads the training",
            remedy="call parsimony.training.workers.follow in the others",
        )
    with tempfile.TemporaryDirectory(prefix="parsimony-crew-") as private:
        started: tuple[subprocess.Popen[bytes], ...] = ()
        if size:
            _met.append(True)
            dist.init_process_group("gloo", timeout=PATIENCE)
        else:
            started = _start(workers, cls, Path(private) / "met")
        made, done = Crew(started), False
        try:
            yield made
            done = True
        finally:
            try:
                made.dismiss(failed=not done)
            finally:
                dist.destroy_process_group()


def _start(workers: int, cls: type, place: Path) -> tuple[subprocess.Popen[bytes], ...]:
    """Start the others here and meet them."""
    home = f"{cls.__module__}:{cls.__qualname__}"
    # They find modules where this process does; their own folder is an empty one.
    where = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(1, workers):
            started.append(subprocess.Popen(
                [sys.executable, "-m", "parsimony.training.worker", home, str(place), str(rank),
                 str(workers)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=place.parent, env=where,
            ))  # fmt: skip
        store, begin = file_store(place, workers), time.monotonic()
        there = [f"worker {rank}" for rank in range(1, workers)]
        while not store.check(there):
            ended = [each for each in started if each.poll() is not None]
            if ended or time.monotonic() - begin > START:
                why = f" ({how_ended(ended[0].returncode)})" if ended else f" within {START:.0f} s"
                raise WorkerLost(
                    f"a worker did not start{why}", remedy="try again, with fewer --workers"
                )
            time.sleep(0.02)
        meet(store, 0, workers)
    except BaseException:  # also a signal: they would wait for us
        for each in started:
            each.kill()
            each.wait()
        raise
    return tuple(started)


def file_store(place: Path | str, size: int) -> Any:
    """Where processes of one machine find each other: nobody else reads the file."""
    return dist.FileStore(str(place), size)  # type: ignore[attr-defined]


def meet(store: Any, rank: int, size: int) -> None:
    """Join the processes that a file of this machine names, on the loopback address."""
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    before = os.environ.get("GLOO_SOCKET_IFNAME")
    if loopback is not None and before is None:
        os.environ["GLOO_SOCKET_IFNAME"] = loopback
    try:
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE)
    finally:
        if loopback is not None and before is None:
            del os.environ["GLOO_SOCKET_IFNAME"]


def release() -> None:
    """Let those go whom a launcher has started, where there was nothing to train."""
    if not _met:
        dist.init_process_group("gloo", timeout=PATIENCE)
        Crew().dismiss()
        dist.destroy_process_group()


def follow(work: Callable[[Crew], None]) -> None:
    """Work for the first process until it lets us go, as one that the launcher has started.

    Parameters
    ----------
    work
        Of the method's class: :meth:`parsimony.base.Estimator.work`.

    Raises
    ------
    WorkerLost
        The first process is gone.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # launchers send it to all, as Ctrl-C
    dist.init_process_group("gloo", timeout=PATIENCE)
    serve(work)


def serve(work: Callable[[Crew], None]) -> None:
    """Do what the first process tells, until it says that it is the end."""
    # Ctrl-C goes to all: the first process hears it, ends its epoch, and lets the others go.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    try:
        work(Crew())
    finally:
        dist.destroy_process_group()
