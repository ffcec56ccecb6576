"""Steps of a long computation: between two of them who asked may end it, or let others go first.

A model says where its steps are; whoever computes for somebody says what happens there. Without
anyone a step costs a look at a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["step_done", "stepping"]

_between: ContextVar[Callable[[], None] | None] = ContextVar("between_steps", default=None)


def step_done() -> None:
    """Say that a step is done: no buffer that questions share is in use here.

    Raises
    ------
    ParsimonyError
        Whoever asked wants no more.
    """
    between = _between.get()
    if between is not None:
        between()


@contextmanager
def stepping(between: Callable[[], None]) -> Iterator[None]:
    """Call a function between the steps of what this thread computes meanwhile; it may raise."""
    token = _between.set(between)
    try:
        yield
    finally:
        _between.reset(token)
