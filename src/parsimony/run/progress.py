"""Progress of long steps, with rate and remaining time: on a terminal and in a notebook."""

from __future__ import annotations

import sys
from threading import Lock
from types import TracebackType
from typing import Any

from parsimony.run.notebook_bar import NotebookBar
from parsimony.visible import visible

# One bar at a time: a nested bar would break the lines of the outer one.
_screen = Lock()
_shown: list[Any] = []


def say(text: str, *, quiet: bool = False) -> None:
    """Write a line that stays to stderr, above the bar where one is shown."""
    if quiet or sys.stderr is None:
        return
    if _shown:
        _shown[-1].console.print(visible(text), markup=False, highlight=False, soft_wrap=True)
    else:
        sys.stderr.write(visible(text) + "\n")
        sys.stderr.flush()


class Progress:
    """Context manager around a long step.

    Parameters
    ----------
    total
        Number of items.
    label
        Description of the step.
    quiet
        Show nothing, even on a terminal. What is piped is silent by itself.

    Attributes
    ----------
    done
        Items counted so far.
    """

    def __init__(self, total: int, label: str, *, quiet: bool = False) -> None:
        self.total, self.label, self.done = total, label, 0
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self.shown = not quiet and (terminal or _in_notebook())
        self._bar: Any = None
        self._cell: NotebookBar | None = None

    def __enter__(self) -> Progress:
        """Show the bar, on a terminal that does not show one yet."""
        if self.shown and _screen.acquire(blocking=False):
            if _in_notebook():  # rich draws there with ipywidgets alone
                self._cell = NotebookBar(self.total, self.label)
                return self
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.__enter__()
            _shown.append(self._bar)
            self._task = self._bar.add_task(self.label, total=self.total, rate="", note="")
        return self

    def advance(self, n: int = 1, **fields: float) -> None:
        """Count ``n`` more items; ``fields`` (loss=…) are shown next to the bar."""
        self.done += n
        note = " ".join(f"{k} {v:.4g}" for k, v in fields.items())
        if self._cell is not None:
            self._cell.show(self.done, note)
        if self._bar is not None:
            speed = self._bar.tasks[self._task].speed
            self._bar.update(
                self._task,
                advance=n,
                rate=_rate(speed) if speed else "",
                note=note,
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        if self._cell is not None:
            self._cell.clear()
            self._cell = None
            _screen.release()
        if self._bar is not None:
            _shown.remove(self._bar)
            try:
                self._bar.__exit__(kind, error, trace)
            finally:
                self._bar = None
                _screen.release()


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _rate(speed: float) -> str:
    """Format a rate: ``1,200/s`` for fast items, ``3.2 s each`` for slow ones."""
    return f"{speed:,.0f}/s" if speed >= 10 else f"{1 / speed:.2g} s each"
