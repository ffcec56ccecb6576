"""Execution engines for independent jobs: here, in processes of this machine, or on Ray."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.sharedctypes import RawArray
from typing import Any, Protocol

from parsimony.errors import InvalidParameter, UnknownParameter, WorkerLost, suggest

__all__ = ["Engine", "LocalEngine", "ProcessEngine", "resolve_engine"]

Job = Mapping[str, Any]

ENGINES = ("local", "ray")
_LIVES = 3  # of a pool of processes: a job that kills every process is not tried for ever
_LARGE = 1 << 16  # bytes of an array that all processes share
_ALIGNED = 64


class Engine(Protocol):
    """Runs one function on many jobs; the results do not depend on the engine."""

    def run(
        self, function: Callable[..., Any], jobs: Sequence[Job], go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (index of the job, result) as jobs complete, in any order.

        Parameters
        ----------
        function
            Called as ``function(**job)``; must be picklable for engines with several processes.
        jobs
            Keyword arguments of each call.
        go_on
            Called once before each job, in order; once it returns false, no further job is
            started, and running ones are waited for.
        """
        ...

    @property
    def slots(self) -> int:
        """How many jobs run at a time."""
        ...

    def close(self) -> None:
        """Release the engine's resources."""
        ...


class LocalEngine:
    """Runs jobs one after the other in this process."""

    slots = 1

    def run(
        self, function: Callable[..., Any], jobs: Sequence[Job], go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Any]]:
        """See :class:`Engine`."""
        for number, job in enumerate(jobs):
            if not go_on():
                return
            yield number, function(**job)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class ProcessEngine:
    """Runs jobs in processes of this machine; jobs of one that was killed are done again.

    The arrays of a function lie in memory once, whatever the number of processes. These wait for
    further jobs of the same function, until :meth:`close`.

    Parameters
    ----------
    processes
        How many at a time.
    """

    def __init__(self, processes: int) -> None:
        self.slots = processes
        self._pool: ProcessPoolExecutor | None = None
        self._function: Callable[..., Any] | None = None

    def run(
        self, function: Callable[..., Any], jobs: Sequence[Job], go_on: Callable[[], bool]
    ) -> Iterator[tuple[int, Any]]:
        """See :class:`Engine`.

        Raises
        ------
        WorkerLost
            Processes were killed three times.
        """
        waiting, lives, going = list(enumerate(jobs)), _LIVES, True
        again = 0  # so many of those in front were allowed before, and are not asked about anew
        while waiting:
            running: dict[Any, tuple[int, Job]] = {}
            pool = self._started(function)
            try:
                while running or (waiting and (again or going)):
                    while waiting and (again or going) and len(running) < self.slots:
                        if not again and not (going := go_on()):
                            break
                        running[pool.submit(_call_kept, dict(waiting[0][1]))] = waiting[0]
                        del waiting[0]
                        again = max(again - 1, 0)
                    for done in wait(running, return_when=FIRST_COMPLETED)[0]:
                        result = done.result()
                        yield running.pop(done)[0], result
            except BrokenProcessPool:
                self.close()
                lives -= 1
                if not lives:
                    raise WorkerLost(
                        "processes that answer are killed again and again",
                        remedy="use fewer --workers: memory may not be enough for so many",
                    ) from None
                again += len(running)
                waiting = sorted([*running.values(), *waiting], key=lambda item: item[0])
                continue
            except BaseException:
                self.close()
                raise
            return

    def _started(self, function: Callable[..., Any]) -> ProcessPoolExecutor:
        if self._pool is None or self._function is not function:
            self.close()
            self._function = function
            self._pool = ProcessPoolExecutor(
                self.slots, get_context("spawn"), initializer=_keep, initargs=_packed(function)
            )
        return self._pool

    def close(self) -> None:
        """Let the processes go; what they still compute is lost."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._function = None


def _packed(function: Callable[..., Any]) -> tuple[bytes, Any, list[tuple[int, int]]]:
    """Pickle a function for this machine's processes, its large arrays into memory they share."""
    large: list[memoryview] = []

    def apart(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _LARGE:
            large.append(raw)
        return raw.nbytes < _LARGE

    content, places, size = pickle.dumps(function, protocol=5, buffer_callback=apart), [], 0
    for raw in large:
        places.append((size, size + raw.nbytes))
        size += -(-raw.nbytes // _ALIGNED) * _ALIGNED
    shared = RawArray(ctypes.c_char, size) if size else None
    for (first, last), raw in zip(places, large, strict=True):
        memoryview(shared).cast("B")[first:last] = raw  # type: ignore[arg-type]
    return content, shared, places


_kept: Callable[..., Any] | None = None


def _keep(content: bytes, shared: Any, places: list[tuple[int, int]]) -> None:
    """Receive the function once a process, not once a job: it may carry data."""
    global _kept
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks hears it, and ends these
    threading.Thread(target=_end_with_parent, daemon=True).start()
    buffers = [memoryview(shared).cast("B")[first:last] for first, last in places]
    _kept = pickle.loads(content, buffers=buffers)


def _end_with_parent() -> None:
    """Leave when the process that asks was killed: nobody else would say so."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call_kept(job: dict[str, Any]) -> Any:
    assert _kept is not None
    return _kept(**job)


def resolve_engine(name: str, *, address: str | None = None, processes: int = 1) -> Engine:
    """Return the engine with the given name.

    Parameters
    ----------
    name
        ``local`` or ``ray``.
    address
        Address of a running Ray cluster; without one, Ray is started on this machine.
    processes
        Of the local engine.

    Raises
    ------
    UnknownParameter
        No such engine.
    InvalidParameter
        An address for the local engine, or processes for Ray, which has its own.
    MissingExtra
        Ray is not installed.
    """
    if name not in ENGINES:
        raise UnknownParameter(
            f"unknown engine {name!r}",
            remedy=suggest(name, ENGINES) or f"engines: {', '.join(ENGINES)}",
        )
    if name == "local":
        if address is not None:
            raise InvalidParameter("the local engine has no address", remedy="use --engine ray")
        return LocalEngine() if processes == 1 else ProcessEngine(processes)
    if processes != 1:
        raise InvalidParameter("Ray has its own workers", remedy="leave --workers out")
    from parsimony.run.engine_ray import RayEngine

    return RayEngine(address)
