"""The live table of a search: the best structures so far, on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from parsimony.cli.tables import table

if TYPE_CHECKING:
    from parsimony.design.settings import Budget
    from parsimony.design.trial import Trial

__all__ = ["LiveTable"]

_ROWS = 8


class LiveTable:
    """Shows the best trials while a search runs; nothing where stderr is no terminal.

    Parameters
    ----------
    budget
        For the title.
    quiet
        Show nothing, even on a terminal.
    """

    def __init__(self, budget: Budget, *, quiet: bool = False) -> None:
        self.budget = budget
        self.shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._trials: list[Trial] = []
        self._live: Any = None

    def __enter__(self) -> LiveTable:
        """Begin."""
        if self.shown:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def show(self, trial: Trial) -> None:
        """Take in a trial and draw the table anew."""
        self._trials.append(trial)
        if self._live is not None:
            self._live.update(self.render(), refresh=True)

    def render(self) -> Any:
        """Return the table: the longest trainings first, each rung by its figure."""
        from parsimony.knowledge.symbol import Symbol

        ranked = sorted(self._trials, key=lambda t: (-t.dim, -t.epochs, -t.valid))
        rows = [
            [Symbol.parse(t.structure).name or "", t.structure, t.valid, t.dim, t.epochs, t.origin]
            for t in ranked[:_ROWS]
        ]
        last = self._trials[-1]
        of = f" of {self.budget.trials}" if self.budget.trials else ""
        time = f" of {self.budget.seconds:.0f}" if self.budget.seconds else ""
        title = f"{len(self._trials)}{of} trials, {last.at:.0f}{time} s; latest {last.valid:.4f}"
        return table(["name", "structure", "valid MRR", "d", "epochs", "by"], rows, title=title)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the table."""
        self.stop()

    def stop(self) -> None:
        """Remove the table; bars of the final trainings need the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None
