"""Who computes with a run next: short questions and long ones take turns, each in their order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Turns"]

_LOOK = 0.05  # seconds between two looks at whether to give up waiting


class Turns:
    """A lock of two lines.

    A long question that lets others pass waits for one short question at most, and a short one for
    one step of a long one, however many of either wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: tuple[deque[object], deque[object]] = (deque(), deque())
        self._busy = self._last_long = False

    def take(self, *, long: bool, look: Callable[[], None] = lambda: None) -> None:
        """Wait for a turn; ``look`` is called meanwhile, and may raise to give up."""
        me = object()
        with self._changed:
            self._lines[long].append(me)
            try:
                while self._busy or self._next() is not me:
                    self._changed.wait(_LOOK)
                    look()
            except BaseException:
                self._lines[long].remove(me)
                self._changed.notify_all()
                raise
            self._lines[long].popleft()
            self._busy, self._last_long = True, long

    def give_back(self) -> None:
        """End a turn."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()

    @property
    def wanted(self) -> bool:
        """Whether anyone waits."""
        return any(self._lines)

    def _next(self) -> object:
        short, long = self._lines
        first, second = (short, long) if self._last_long else (long, short)
        return (first or second)[0]
