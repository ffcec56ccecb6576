"""The two compared families on parts of the test queries: small figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from parsimony.frontier.analysis import Analysis
from parsimony.frontier.groups import Group
from parsimony.frontier.look import Look, plain_axes, saved, ticks
from parsimony.frontier.row import Row
from parsimony.frontier.words import amount_text

__all__ = ["stratum_error", "stratum_figure", "stratum_names"]

#: parts of fewer queries say too little, and of more parts than these only the largest are drawn
_FEWEST, _MOST = 5, 12


def stratum_names(rows: Sequence[Row]) -> Mapping[str, int]:
    """Return the parts that runs have figures for, and how many queries each has."""
    counts: dict[str, int] = {}
    for row in rows:
        for name, part in row.strata.items():
            counts[name] = max(counts.get(name, 0), part.n)
    able = [name for name, n in counts.items() if n >= _FEWEST]
    kept = set(sorted(able, key=lambda name: -counts[name])[:_MOST])
    return {name: counts[name] for name in able if name in kept}


def stratum_error(found: Analysis, group: Group, name: str) -> float | None:
    """Mean error of a size on a part of the queries; None where its runs do not have the part."""
    own = [found.rows[i].strata[name].value for i in group.rows if name in found.rows[i].strata]
    return 1.0 - float(np.mean(own)) if own else None


def stratum_figure(found: Analysis, look: Look) -> bytes | None:
    """Draw the sizes of the two compared families on every part of the test queries.

    Returns
    -------
    bytes or None
        An SVG; None where the runs have no parts.
    """
    names = stratum_names(found.rows)
    compared = [best for best in (found.knowledge, found.scaled) if best is not None]
    if not names or not compared:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

    columns = min(4 if look.wide else 2, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(
        figsize=(min(look.width, 3.4 * columns), 1.9 * lines + 0.6), facecolor=look.paper,
        layout="constrained",
    )  # fmt: skip
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    highest, amounts = 0.0, list[float]()
    for panel, (name, n) in zip(panels, names.items(), strict=False):
        for best in compared:
            curve, colour = found.curves[best.family], look.of(best.side)
            errors = [stratum_error(found, group, name) for group in curve.groups]
            x = [group.amount for group in curve.groups]
            y = [np.nan if error is None else error for error in errors]
            panel.plot(x, y, "o-", color=colour, markersize=3.5, linewidth=1.3, label=best.family)
            amounts += x
            highest = max([highest, *(error for error in errors if error is not None)])
        panel.set_title(f"{name} ({n:,})", fontsize=8, color=look.ink, loc="left", parse_math=False)
        panel.set(xscale="log")
        plain_axes(panel, look, 7.5)
    at = ticks(min(amounts) / 1.3, max(amounts) * 1.3)
    at = at[:: -(-len(at) // 4)]
    for panel in panels[: len(names)]:
        panel.set(xlim=(min(amounts) / 1.3, max(amounts) * 1.3), ylim=(0, 1.08 * highest or 1.0))
        panel.xaxis.set_major_locator(FixedLocator(at))
        panel.xaxis.set_major_formatter(FixedFormatter([amount_text(value) for value in at]))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_locator(MaxNLocator(4))
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=2,
        frameon=False,
        fontsize=8,
        labelcolor=look.ink,
    )
    return saved(figure, "svg")
