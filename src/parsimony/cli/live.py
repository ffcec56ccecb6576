"""Output that is drawn again and again on a terminal while something long runs."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

__all__ = ["Live"]


class Live(ABC):
    """A context manager around what runs.

    Parameters
    ----------
    quiet
        Show nothing, even on a terminal.

    Attributes
    ----------
    shown
        Whether stderr is a terminal, and may be used.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._live: Any = None

    @abstractmethod
    def render(self) -> Any:
        """Return what is drawn; another thread asks for it."""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self.shown:
            from rich.console import Console
            from rich.live import Live as Drawn

            self._live = Drawn(
                console=Console(stderr=True), transient=True, refresh_per_second=1,
                get_renderable=self.render,
            )  # fmt: skip
            self._live.start()
        return self

    def refresh(self) -> None:
        """Draw again, at once."""
        if self._live is not None:
            self._live.refresh()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it."""
        self.stop()

    def stop(self) -> None:
        """Remove it, to make room for other output."""
        if self._live is not None:
            self._live.stop()
            self._live = None
