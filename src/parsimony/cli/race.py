"""``parsimony fit`` without a method: the race, its table while it runs, and its result."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from parsimony.cli.command_group import Output
from parsimony.cli.live import Live
from parsimony.cli.tables import table
from parsimony.visible import visible

if TYPE_CHECKING:
    from parsimony.search.heat import Row

__all__ = ["LiveRace", "let_race", "race_parts"]


def let_race(
    output: Output, request: Mapping[str, Any], *, engine: str, address: str | None
) -> None:
    """Let the methods race; print the table, the sentence and the figures.

    Parameters
    ----------
    request
        Of :class:`parsimony.search.race.RaceRequest`.
    engine, address
        As of ``parsimony search``.
    """
    from parsimony.answers import as_notes
    from parsimony.run.engine import resolve_engine
    from parsimony.search.race import RaceRequest, race

    settings = dict(request["settings"])
    if engine == "ray":
        settings.setdefault("threads", 1)  # one CPU core per heat
    where = resolve_engine(engine, address=address)
    try:
        with LiveRace(quiet=output.quiet) as live:
            _, summary = race(
                RaceRequest(**{**request, "settings": settings}, engine=where, on_heat=live.show)
            )
    finally:
        where.close()
    for note in as_notes(summary["notes"]):
        output.note(note)
    output.result(summary, *race_parts(summary))


class LiveRace(Live):
    """Says after every heat how the methods stand: a table on a terminal, else a line.

    Parameters
    ----------
    quiet
        Say nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(quiet=quiet)
        self._lines = not quiet and not self.shown and sys.stderr is not None
        self._rows: Sequence[Row] = ()
        self._said: dict[str, int] = {}

    def show(self, rows: Sequence[Row]) -> None:
        """Take the rows as they stand."""
        self._rows = list(rows)
        self.refresh()
        for row in rows if self._lines else ():
            if row.heats != self._said.get(row.name, 0):
                self._said[row.name] = row.heats
                print(visible(_line(row)), file=sys.stderr, flush=True)

    def render(self) -> Any:
        """Return the table."""
        return table(
            ["method", "parameters", "seconds", "valid", "state"],
            [
                [
                    row.name, row.heat.parameters if row.heat else None, f"{row.seconds:.1f}",
                    _figure(row), "; ".join(filter(None, (row.state, row.why))),
                ]
                for row in self._rows
            ],
        )  # fmt: skip


def _figure(row: Row) -> str:
    contender = row.contender
    if contender is None:
        return ""
    low, high = contender.interval
    return f"{contender.valid:.4f} ({low:.4f} to {high:.4f})"


def _line(row: Row) -> str:
    parameters = f"{row.heat.parameters:,} parameters, " if row.heat else ""
    state = f", {row.why}" if row.why else ""
    return f"{row.name}: {parameters}{row.seconds:.1f} s, valid {_figure(row)}{state}"


def race_parts(summary: Mapping[str, Any]) -> list[Any]:
    """What ``fit`` prints of a race: the table, the sentence and what comes next."""
    import shlex

    from parsimony.run.description import size_text

    rows = []
    for row in summary["rows"]:
        if "valid" not in row:
            rows.append([row["method"], None, "", f"{row['seconds']:.1f}", "", "", row["why"]])
            continue
        low, high = row["interval"]
        behind = row["behind_interval"]
        rows.append([
            row["method"], row["parameters"], size_text(row["description_bytes"]),
            f"{row['seconds']:.1f}",
            f"{row['valid']:.4f} ({low:.4f} to {high:.4f})",
            f"{row['behind']:.4f} ({behind[0]:+.4f} to {behind[1]:+.4f})", row["why"],
        ])  # fmt: skip
    measure = summary["measure"]
    parts: list[Any] = [
        table(
            ["method", "parameters", "description", "seconds", f"valid {measure}",
             "behind the best", "verdict"],
            rows,
        ),
        "",
        summary["sentence"],
    ]  # fmt: skip
    for split in ("valid", "test"):
        if summary[split]:
            figures = "  ".join(f"{name} {value:.4f}" for name, value in summary[split].items())
            parts.append(f"{split}: {figures}")
    run = shlex.quote(str(summary["run"]))
    return [
        *parts,
        f"{summary['seconds']:.0f} of {summary['budget']:.0f} s",
        f"run:   {summary['run']}",
        f"next:  parsimony report {run}",
    ]
