"""Questions that take time: asked in threads, given up when the asker leaves or the time is over.

Every run has a lock, as its model has buffers of its own: one question computes at a time. Quick
questions of a run stand in one line; long ones have threads of their own, and let the quick ones
pass at every point where they can be stopped.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from parsimony.errors import ParsimonyError, UsageError

__all__ = ["Busy", "Cancelled", "Desk", "Left", "Limits", "Ticket", "TooLong"]

T = TypeVar("T")
_TURN = 0.05  # seconds between two looks at whether to give up while waiting for the lock


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes
    ----------
    body
        Bytes of a request's body.
    body_seconds
        Within which it has to be there.
    quick, long, job
        Seconds of a question, of a long one, and of one that is waited for as a job.
    waiting
        Most questions to a run at a time.
    """

    body: int = 1 << 20
    body_seconds: float = 15.0
    quick: float = 30.0
    long: float = 120.0
    job: float = 600.0
    waiting: int = 128


class TooLong(ParsimonyError):
    """The time of a question is over."""

    status: ClassVar[int] = 504


class Cancelled(ParsimonyError):
    """A job was cancelled, or the server stops."""

    status: ClassVar[int] = 499


class Left(Cancelled):
    """The asker has gone."""


class Busy(UsageError):
    """Too many questions wait."""

    status: ClassVar[int] = 429


class Ticket:
    """The right of a question to go on.

    Parameters
    ----------
    seconds
        Until it loses it.
    lock
        Of the run; held while the model computes.
    """

    def __init__(self, seconds: float, lock: threading.Lock) -> None:
        self.seconds, self.lock = seconds, lock
        self._end = time.monotonic() + seconds
        self._cancelled, self._holds = threading.Event(), False

    def cancel(self) -> None:
        """Let the question end where it looks next."""
        self._cancelled.set()

    def look(self) -> None:
        """Raise where the question has to end.

        Raises
        ------
        Cancelled
            Nobody waits for it any longer.
        TooLong
            Its time is over.
        """
        if self._cancelled.is_set():
            raise Cancelled("the question was cancelled", remedy="ask it again")
        if time.monotonic() > self._end:
            raise TooLong(
                f"the question took longer than {self.seconds:g} s",
                remedy="ask for less, or ask it as a job (POST /api/v1/jobs)",
            )

    def check(self) -> None:
        """Between two steps: look, and let others who wait for the run have their turn."""
        self.look()
        self._release()
        time.sleep(0.0002)
        self._take()

    def run(self, work: Callable[[], T]) -> T:
        """Do the work with the lock held."""
        self._take()
        try:
            return work()
        finally:
            self._release()

    def _take(self) -> None:
        while not self.lock.acquire(timeout=_TURN):
            self.look()
        self._holds = True

    def _release(self) -> None:
        if self._holds:
            self._holds = False
            self.lock.release()


class Desk:
    """Where questions to one run are handed in."""

    def __init__(self, limits: Limits, long: ThreadPoolExecutor) -> None:
        self.limits, self.lock = limits, threading.Lock()
        self._quick, self._long = ThreadPoolExecutor(1), long
        self.waiting = 0
        self._tickets: set[Ticket] = set()

    def close(self) -> None:
        """Cancel what waits or runs."""
        for ticket in list(self._tickets):
            ticket.cancel()
        self._quick.shutdown(wait=False, cancel_futures=True)

    async def ask(
        self,
        work: Callable[[Ticket], T],
        gone: Callable[[], Awaitable[None]] | None = None,
        *,
        long: bool = False,
        seconds: float | None = None,
        ticket: Ticket | None = None,
    ) -> T:
        """Wait for the answer to a question.

        Parameters
        ----------
        work
            Asks the model; called in a thread, with the lock of the run.
        gone
            Returns when the asker has left.
        long
            Whether it takes more than a moment.
        seconds
            It may take; that of its kind by default.

        Raises
        ------
        Busy, TooLong, Left, Cancelled
        """
        if self.waiting >= self.limits.waiting:
            raise Busy(f"{self.waiting} questions to this run wait already", remedy="ask later")
        limit = seconds or (self.limits.long if long else self.limits.quick)
        own = ticket or Ticket(limit, self.lock)
        self.waiting += 1
        self._tickets.add(own)
        loop = asyncio.get_running_loop()

        def done() -> T:
            own.look()
            return own.run(lambda: work(own))

        future = loop.run_in_executor(self._long if long else self._quick, done)
        left = None if gone is None else asyncio.ensure_future(gone())
        try:
            both: list[asyncio.Future[Any]] = [future] if left is None else [future, left]
            await asyncio.wait(both, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
            own.cancel()
            future.add_done_callback(_heard)
            future.cancel()
            if left is not None and left.done():
                raise Left("the asker has left")
            raise TooLong(
                f"the question took longer than {limit:g} s",
                remedy="ask for less, or ask it as a job (POST /api/v1/jobs)",
            )
        except asyncio.CancelledError:
            own.cancel()
            raise
        finally:
            if left is not None:
                left.cancel()
            self.waiting -= 1
            self._tickets.discard(own)


def _heard(future: asyncio.Future[Any]) -> None:
    """Take the result or the error of what nobody waits for."""
    if not future.cancelled():
        future.exception()
