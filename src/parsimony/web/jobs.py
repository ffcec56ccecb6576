"""Questions that are not waited for: started, looked at, cancelled."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parsimony.errors import ParsimonyError, UnknownParameter
from parsimony.web.waiting import Busy, Cancelled, Desk, Ticket

__all__ = ["Jobs"]

_MOST = 100
_KEPT = 600.0  # seconds that a result is kept


class NoSuchJob(UnknownParameter):
    """No job of that id, or its result is no longer kept."""

    status = 404


@dataclass
class _Job:
    id: str
    desk: Desk
    ticket: Ticket
    began: float
    ended: float | None = None
    state: str = "waiting"
    result: Any = None
    error: dict[str, str] | None = None
    task: asyncio.Task[None] | None = None

    def shown(self) -> dict[str, Any]:
        seconds = (self.ended or time.monotonic()) - self.began
        return {"id": self.id, "state": self.state, "seconds": round(seconds, 3),
                "before": self.desk.before(self.ticket), "result": self.result,
                "error": self.error}  # fmt: skip


class Jobs:
    """The jobs of a server, by ids that cannot be guessed."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def start(self, desk: Desk, work: Callable[[Ticket], Any]) -> dict[str, Any]:
        """Start a question.

        Raises
        ------
        Busy
            Too many are under way.
        """
        self._tidy()
        if len(self._jobs) >= _MOST:
            raise Busy(f"{_MOST} jobs are kept already", remedy="cancel some, or ask later")
        ticket = desk.ticket("job")
        job = _Job(secrets.token_urlsafe(12), desk, ticket, time.monotonic())
        self._jobs[job.id] = job
        job.task = asyncio.get_running_loop().create_task(self._run(job, desk, work))
        return job.shown()

    async def _run(self, job: _Job, desk: Desk, work: Callable[[Ticket], Any]) -> None:
        def begun(ticket: Ticket) -> Any:
            if job.state == "waiting":
                job.state = "running"
            return work(ticket)

        try:
            found = await desk.ask(begun, lane="job", ticket=job.ticket)
            if job.state == "running":  # not cancelled in a step that looks at no ticket
                job.state, job.result = "done", found
        except (Cancelled, asyncio.CancelledError):
            job.state = "cancelled"
        except ParsimonyError as error:
            job.state, job.error = "failed", error.to_dict()
        except Exception as error:
            job.state = "failed"
            job.error = {"type": type(error).__name__, "message": "the question failed",
                         "remedy": "this is a bug in Parsimony: please report it"}  # fmt: skip
        finally:
            job.ended = time.monotonic()

    def shown(self, id: str) -> dict[str, Any]:
        """How a job stands.

        Raises
        ------
        UnknownParameter
            No such job.
        """
        if id not in self._jobs:
            raise NoSuchJob("no such job", remedy="start it again")
        return self._jobs[id].shown()

    def cancel(self, id: str) -> dict[str, Any]:
        """Cancel a job; one that has ended is forgotten.

        Raises
        ------
        UnknownParameter
            No such job.
        """
        found = self.shown(id)
        job = self._jobs[id]
        if job.ended is not None:
            del self._jobs[id]
            return found
        job.ticket.cancel()
        job.state = "cancelled"
        return job.shown()

    def close(self) -> None:
        """Cancel all."""
        for job in self._jobs.values():
            job.ticket.cancel()

    def _tidy(self) -> None:
        now = time.monotonic()
        for id, job in list(self._jobs.items()):
            if job.ended is not None and now - job.ended > _KEPT:
                del self._jobs[id]
