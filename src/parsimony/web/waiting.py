"""Questions that take time: asked in threads, given up when the asker leaves or the time is over.

A model has buffers of its own: one question to a run computes at a time, in turns
(:mod:`parsimony.web.turns`). Every run has lanes with threads of their own, so that a question
never waits behind longer ones: they let it pass at every step (:mod:`parsimony.run.steps`), where
they also end if nobody waits for them any longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar

from parsimony.errors import ParsimonyError, UsageError
from parsimony.run.steps import stepping
from parsimony.web.turns import Turns

__all__ = ["Busy", "Cancelled", "Desk", "Lane", "Left", "Limits", "Ticket", "TooLong"]

T = TypeVar("T")
#: Answers; reasons and others of several steps; long questions; jobs; what asks no model.
Lane = Literal["answer", "reason", "long", "job", "read"]
_MEMORY = 0.8  # weight of the questions before in the mean of their seconds
_THREADS: dict[Lane, int] = {"answer": 1, "reason": 2, "long": 2, "job": 4, "read": 2}


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
        Seconds of a question, of a long one, and of one that is looked at as a job.
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
    """Too many questions wait.

    Attributes
    ----------
    again
        Seconds after which it is worth asking again, where that is known.
    """

    status: ClassVar[int] = 429
    again: int | None = None

    @classmethod
    def of(cls, before: int, wait: float, seconds: float) -> Self:
        """Say how many are before a question that has ``seconds``, and how long they take."""
        questions = "question is" if before == 1 else "questions are"
        error = cls(f"the run is busy: {before} {questions} before this one")
        error.again = max(math.ceil(wait - seconds), 1)
        error.remedy = f"ask again in {error.again} s, or ask it as a job (POST /api/v1/jobs)"
        return error


class Ticket:
    """The right of a question to go on.

    Parameters
    ----------
    seconds
        Until it loses it.
    turns
        Of the run, taken while the model computes; None where no model is asked.
    long
        In which line it waits for its turn.

    Attributes
    ----------
    begun
        Whether it has had its first turn.
    """

    def __init__(self, seconds: float, turns: Turns | None, *, long: bool = False) -> None:
        self.seconds, self.turns, self.long = seconds, turns, long
        self._end, self.begun = time.monotonic() + seconds, False
        self._cancelled = threading.Event()

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
            raise too_long(self.seconds)

    def check(self) -> None:
        """Between two steps: look, and let others who wait for the run have their turn."""
        self.look()
        if self.turns is not None and self.turns.wanted:
            self.turns.give_back()
            self.turns.take(long=self.long)  # is held again whatever happens: `run` gives it back
            self.look()

    def run(self, work: Callable[[], T]) -> T:
        """Do the work in its turn; its steps are checks."""
        with stepping(self.check):
            if self.turns is None:
                self.begun = True
                return work()
            self.turns.take(long=self.long, look=self.look)
            self.begun = True
            try:
                return work()
            finally:
                self.turns.give_back()


class Desk:
    """Where questions to one run are handed in."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.turns = limits, Turns()
        self._lanes = {lane: ThreadPoolExecutor(n, lane) for lane, n in _THREADS.items()}
        self._lines: dict[Lane, list[Ticket]] = {lane: [] for lane in _THREADS}
        self._mean: dict[Lane, float] = {}  # seconds of the last questions, from turn to end

    def close(self) -> None:
        """Cancel what waits or runs."""
        for line in self._lines.values():
            for ticket in line:
                ticket.cancel()
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """Questions that have no answer yet."""
        return sum(map(len, self._lines.values()))

    def before(self, ticket: Ticket) -> int:
        """How many questions have to end before one begins; 0 where it has begun."""
        line = next((line for line in self._lines.values() if ticket in line), [])
        return 0 if ticket.begun or ticket not in line else line.index(ticket)

    def _wait(self, lane: Lane, before: int) -> float:
        """Seconds until a question with so many before it has its answer; 0: not known."""
        threads, mean = _THREADS[lane], self._mean.get(lane, 0.0)
        return max(before - threads + 1, 0) * mean / threads + mean

    def ticket(self, lane: Lane) -> Ticket:
        """A ticket for a question in a lane."""
        of = {"long": self.limits.long, "job": self.limits.job}
        turns = None if lane == "read" else self.turns
        return Ticket(of.get(lane, self.limits.quick), turns, long=lane in of)

    async def ask(
        self,
        work: Callable[[Ticket], T],
        gone: Callable[[], Awaitable[None]] | None = None,
        *,
        lane: Lane = "answer",
        ticket: Ticket | None = None,
    ) -> T:
        """Wait for the answer to a question.

        Parameters
        ----------
        work
            Asks the model; called in a thread, in the question's turn.
        gone
            Returns when the asker has left.
        lane
            By how long it takes.
        ticket
            One that can also be cancelled elsewhere, or has other limits than the lane's.

        Raises
        ------
        Busy, TooLong, Left, Cancelled
        """
        own, line = ticket or self.ticket(lane), self._lines[lane]
        wait = self._wait(lane, len(line))
        if self.waiting >= self.limits.waiting or (line and wait > own.seconds):
            raise Busy.of(self.waiting if wait <= own.seconds else len(line), wait, own.seconds)
        line.append(own)
        loop = asyncio.get_running_loop()

        def done() -> T:
            own.look()
            return own.run(lambda: self._timed(lane, lambda: work(own)))

        future = loop.run_in_executor(self._lanes[lane], done)
        left = None if gone is None else asyncio.ensure_future(gone())
        try:
            both: list[asyncio.Future[Any]] = [future] if left is None else [future, left]
            await asyncio.wait(both, timeout=own.seconds, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                with contextlib.suppress(*[] if own.begun else [TooLong]):
                    return future.result()
            own.cancel()
            future.add_done_callback(_heard)
            future.cancel()
            if left is not None and left.done():
                raise Left("the asker has left")
            if not own.begun:  # others had all of its time
                before = max(self.before(own), 1)
                raise Busy.of(before, self._wait(lane, before), own.seconds)
            raise too_long(own.seconds)
        except asyncio.CancelledError:
            own.cancel()
            raise
        finally:
            if left is not None:
                left.cancel()
            line.remove(own)

    def _timed(self, lane: Lane, work: Callable[[], T]) -> T:
        """Do the work, and keep in mind how long such questions take; an error says nothing."""
        begin = time.monotonic()
        try:
            found = work()
        except (Cancelled, TooLong):
            self._took(lane, time.monotonic() - begin)
            raise
        self._took(lane, time.monotonic() - begin)
        return found

    def _took(self, lane: Lane, seconds: float) -> None:
        self._mean[lane] = seconds + (self._mean.get(lane, seconds) - seconds) * _MEMORY


def too_long(seconds: float) -> TooLong:
    """The error of a question whose time is over."""
    return TooLong(
        f"the question took longer than {seconds:g} s",
        remedy="ask for less, or ask it as a job (POST /api/v1/jobs)",
    )


def _heard(future: asyncio.Future[Any]) -> None:
    """Take the result or the error of what nobody waits for."""
    if not future.cancelled():
        future.exception()
