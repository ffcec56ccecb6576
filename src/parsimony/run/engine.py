"""Execution engines for independent jobs: in this process, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from parsimony.errors import InvalidParameter, UnknownParameter, suggest

__all__ = ["Engine", "LocalEngine", "resolve_engine"]

Job = Mapping[str, Any]

ENGINES = ("local", "ray")


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


def resolve_engine(name: str, *, address: str | None = None) -> Engine:
    """Return the engine with the given name.

    Parameters
    ----------
    name
        ``local`` or ``ray``.
    address
        Address of a running Ray cluster; without one, Ray is started on this machine.

    Raises
    ------
    UnknownParameter
        No such engine.
    InvalidParameter
        An address for the local engine.
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
        return LocalEngine()
    from parsimony.run.engine_ray import RayEngine

    return RayEngine(address)
