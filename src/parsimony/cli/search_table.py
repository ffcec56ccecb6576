"""The live table of a search: the best structures so far, on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from parsimony.cli.live import Live
from parsimony.cli.tables import table

if TYPE_CHECKING:
    from parsimony.search.settings import Budget
    from parsimony.search.trial import Trial

__all__ = ["LiveTable"]

_ROWS = 8


class LiveTable(Live):
    """Shows the best trials while a search runs, if stderr is a terminal.

    Parameters
    ----------
    budget
        For the title.
    space
        What the structures are.
    quiet
        Show nothing, even on a terminal.
    """

    def __init__(self, budget: Budget, *, space: str = "bilinear", quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self.budget, self.space = budget, space
        self.figure = "MRR" if space == "bilinear" else "skill"
        self._trials: list[Trial] = []
        self._since = time.monotonic()

    def show(self, trial: Trial) -> None:
        """Add a trial and redraw the table."""
        self._trials = [*self._trials, trial]  # another thread draws the table
        self._since = time.monotonic()
        self.refresh()

    def render(self) -> Any:
        """Return the table: the longest trainings first, each rung by validation figure."""
        trials = self._trials
        ranked = sorted(
            trials, key=lambda t: (-t.entities, -t.dim, -t.epochs, -(t.limit or 0), -t.valid)
        )
        columns, rows = self.rows(ranked[:_ROWS])
        if any(t.entities < 1 for t in trials):
            columns.append("entities")
            rows = [[*row, f"{t.entities:.0%}"] for row, t in zip(rows, ranked, strict=False)]
        of = f" of {self.budget.trials}" if self.budget.trials else ""
        most = f" of {self.budget.seconds:.0f}" if self.budget.seconds else ""
        spent = (trials[-1].at if trials else 0.0) + time.monotonic() - self._since
        latest = f"; latest {trials[-1].valid:.4f}" if trials else ""
        title = f"{len(trials)}{of} trials, {spent:.0f}{most} s{latest}"
        return table(columns, rows, title=title)

    def rows(self, ranked: list[Trial]) -> tuple[list[str], list[list[Any]]]:
        """Return the columns, and a row of each trial."""
        columns = ["name", "structure", f"valid {self.figure}", "d", "epochs", "by"]
        return columns, [
            [self._name(t.structure), t.structure, t.valid, t.dim, t.epochs, t.origin]
            for t in ranked
        ]

    def _name(self, structure: str) -> str:
        """Return the name of a published structure."""
        if self.space == "bilinear":
            from parsimony.knowledge.symbol import Symbol

            return Symbol.parse(structure).name or ""
        from parsimony.knowledge.formula import Formula

        return Formula.parse(structure).name or ""
