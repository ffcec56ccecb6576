"""Strata as charts, of one run or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from parsimony.link.strata import KINDS
from parsimony.pages.comparison_charts import Mark, strata_chart
from parsimony.report.compared import Stratum, Value

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["mark", "strata_charts", "strata_of_run"]

_SCALES = (0.1, 0.2, 0.4, 0.6, 0.8)  # ends of the axis; a page has one


def mark(letter: str, value: Value | None) -> Mark | None:
    """Return a value as a mark of a chart; one without an interval is a point."""
    if value is None:
        return None
    low, high = value["interval"] or (value["value"], value["value"])
    return Mark(letter, value["value"], low, high)


def strata_charts(
    letters: Sequence[str], strata: Mapping[str, Sequence[Stratum]], measure: str
) -> list[tuple[str, Markup]]:
    """Return title and chart of each kind of stratum.

    Parameters
    ----------
    letters
        Of the runs, in the order of the strata's values; [""] for a single run.
    strata
        Kind → its strata.
    measure
        What the values are.
    """
    from markupsafe import Markup

    values = (v for found in strata.values() for row in found for v in row["values"] if v)
    highest = max((max(v["value"], *(v["interval"] or [0.0])) for v in values), default=1.0)
    limit = next((end for end in _SCALES if highest <= end), 1.0)
    charts = []
    for kind, found in strata.items():
        words = KINDS.get(kind, kind)
        rows = [
            (row["stratum"], row["n"],
             [mark(name, value) for name, value in zip(letters, row["values"], strict=True)])
            for row in found
        ]  # fmt: skip
        svg = strata_chart(rows, title=f"{measure} by {words}", across=measure, limit=limit)
        charts.append((words[0].upper() + words[1:], Markup(svg)))
    return charts


def strata_of_run(
    strata: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, list[Stratum]]:
    """Return what ``evaluate`` gives for a link run in the form that charts take."""
    return {
        kind: [
            {"stratum": row["stratum"], "n": row["n_queries"],
             "values": [{"value": row["mrr"], "interval": row["interval"]}]}
            for row in found
        ]
        for kind, found in strata.items()
    }  # fmt: skip
