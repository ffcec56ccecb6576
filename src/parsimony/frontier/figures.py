"""The figures: error against size on two logarithms, and the same for each stratum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Literal

import numpy as np

from parsimony.explain.figures import canvas
from parsimony.frontier.analysis import Analysis, Crossing
from parsimony.frontier.curves import Curve
from parsimony.frontier.equivalent import DECADE
from parsimony.frontier.row import Row
from parsimony.frontier.words import METRICS, amount_text, times_text

__all__ = ["LOOKS", "Look", "frontier_figure", "stratum_figure"]

_MARKERS = "osD^vP*X"


@dataclass(frozen=True)
class Look:
    """Colours, and the width in inches."""

    paper: str = "#ffffff"
    ink: str = "#23211d"
    muted: str = "#6d6960"
    rule: str = "#e3dfd6"
    knowledge: str = "#2a5d8f"
    scaled: str = "#a65a12"
    width: float = 9.6

    def of(self, side: str) -> str:
        """The colour of a side."""
        return self.knowledge if side == "knowledge" else self.scaled


_LIGHT = Look()
_DARK = Look("#17181a", "#e7e4dc", "#a19c91", "#34363a", "#86b6e6", "#e9ab6b")
_NARROW = 4.4
#: by name: for light and dark pages, wide and narrow ones
LOOKS = {
    "light": _LIGHT, "dark": _DARK, "light-narrow": replace(_LIGHT, width=_NARROW),
    "dark-narrow": replace(_DARK, width=_NARROW),
}  # fmt: skip


def frontier_figure(
    found: Analysis, metric: str, look: Look, form: Literal["svg", "png"] = "svg"
) -> bytes:
    """Draw all families, the laws and bands of the two compared, and the equivalent scale.

    Returns
    -------
    bytes
        Of the image.
    """
    wide = look.width > 6
    below = 0.0 if wide else 0.16 * -(-(len(found.curves) + _KEYS) // 2) + 0.1  # the legend
    height = 5.6 if wide else 4.0 + below
    figure, axes = canvas(look.width, height)
    figure.set_facecolor(look.paper)
    low = below / height
    axes.set_position((0.085, 0.11, 0.665, 0.85) if wide else (0.15, low + 0.12, 0.82, 0.86 - low))
    axes.set_facecolor(look.paper)
    axes.set(xscale="log", yscale="log")
    compared = [
        best.family for best in (found.knowledge, found.scaled) if best is not None
    ]  # fmt: skip
    counts = {"knowledge": 0, "scaled": 0}
    for name, curve in found.curves.items():
        marker = _MARKERS[counts[curve.side] % len(_MARKERS)]
        counts[curve.side] += 1
        _draw_curve(axes, curve, name in compared, marker, look)
    forward = found.crossing(found.knowledge, found.scaled)
    if forward is not None:
        _draw_crossing(axes, forward, look)
    _decorate(figure, axes, found, metric, look, wide)
    return _saved(figure, form)


def _draw_curve(axes: Any, curve: Curve, first: bool, marker: str, look: Look) -> None:
    colour, strength = look.of(curve.side), 1.0 if first else 0.45
    used = [point for point in curve.points if point.role == "law"]
    for point in curve.points:
        axes.plot(
            [point.amount] * 2, [max(point.low, 1e-4), max(point.high, 1e-4)], color=colour,
            alpha=0.6 * strength, linewidth=1,
        )  # fmt: skip
        axes.plot(
            point.amount, max(point.error, 1e-4), marker, color=colour, alpha=strength,
            markersize=6 if first else 4.5,
            markerfacecolor=colour if point.role == "law" else look.paper,
        )  # fmt: skip
    name = f"{curve.family}{' (compared)' if first else ''}"
    line = {"color": colour, "alpha": strength, "linewidth": 1.8 if first else 0.9}
    axes.plot([], [], marker=marker, label=name, **line)
    if curve.laws is None:
        axes.plot([p.amount for p in used], [max(p.error, 1e-4) for p in used], **line)
        return
    low, high = used[0].amount, used[-1].amount
    inner, outer = np.geomspace(low, high, 60), np.geomspace(high, high * DECADE, 30)
    axes.plot(inner, np.maximum(curve.band(inner)[1], 1e-4), **line)
    if not first:
        return
    axes.plot(outer, np.maximum(curve.band(outer)[1], 1e-4), linestyle=(0, (4, 3)), **line)
    for amounts, alpha in ((inner, 0.18), (outer, 0.09)):
        lower, _, upper = np.maximum(curve.band(amounts), 1e-4)
        axes.fill_between(amounts, lower, upper, color=colour, alpha=alpha, linewidth=0)
    for held in curve.summary.get("held_out", ()):
        x = held["amount"] * 1.05
        axes.plot(x, max(held["predicted"], 1e-4), "x", color=look.ink, markersize=6)
        axes.plot([x] * 2, np.maximum(held["interval"], 1e-4), color=look.ink, linewidth=0.8)


def _draw_crossing(axes: Any, crossing: Crossing, look: Look) -> None:
    """An arrow from the model driven by knowledge to where the law of the other has its error."""
    scale, own = crossing.scale, crossing.model.group.amount
    target = scale.middle if scale.low is not None else (scale.at_least or scale.at_most)
    if target is None:
        return
    error = max(crossing.model.error, 1e-4)
    sign = "" if scale.low is not None else (">" if scale.at_least is not None else "<")
    axes.annotate(
        "", (target, error), (own, error),
        arrowprops={
            "arrowstyle": "-|>", "color": look.ink, "linewidth": 1.3, "shrinkA": 6, "shrinkB": 0,
            "linestyle": "--" if scale.extrapolated else "-",
        },
    )  # fmt: skip
    words = f"{sign} {times_text(target / own)}"
    if scale.extrapolated:
        words += ", extrapolated"
    axes.annotate(
        words.strip(), ((own * target) ** 0.5, error), (0, 5), textcoords="offset points",
        ha="center", fontsize=8.5, color=look.ink,
        bbox={"facecolor": look.paper, "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )  # fmt: skip


def _decorate(figure: Any, axes: Any, found: Analysis, metric: str, look: Look, wide: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xlabel(found.measure.words, fontsize=9, color=look.muted)
    name = METRICS.get(metric, metric.replace("_", " "))
    axes.set_ylabel(f"1 − {name}, test", fontsize=9, color=look.muted)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: amount_text(x)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    errors = [v for curve in found.curves.values() for p in curve.points for v in (p.low, p.high)]
    axes.set_ylim(max(min(errors), 1e-3) / 1.25, min(max(errors) * 1.15, 1.3))
    axes.tick_params(which="both", colors=look.muted, labelsize=8.5, length=0)
    axes.grid(color=look.rule, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    handles += _keys(look)
    labels += ["size left out as over-fitted", "held out, as predicted", "extrapolation"]
    where: dict[str, Any] = (
        {"loc": "upper left", "bbox_to_anchor": (0.755, 0.97)} if wide
        else {"loc": "lower center", "bbox_to_anchor": (0.5, 0.0), "ncols": 2}
    )  # fmt: skip
    figure.legend(
        handles, labels, frameon=False, fontsize=8.5 if wide else 7.5, labelcolor=look.ink, **where
    )


_KEYS = 3


def _keys(look: Look) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], marker="o", linestyle="", color=look.muted, markerfacecolor=look.paper),
        Line2D([], [], marker="x", linestyle="", color=look.ink),
        Line2D([], [], linestyle=(0, (4, 3)), color=look.muted),
    ]


def stratum_figure(
    found: Analysis, rows: Sequence[Row], metric: str, look: Look
) -> tuple[bytes, int] | None:
    """Draw the two compared families on every part of the test queries.

    Returns
    -------
    image, parts
        An SVG, and how many parts it shows; None where the runs have none.
    """
    compared = [b.family for b in (found.knowledge, found.scaled) if b is not None]
    names = stratum_names(rows)
    if not names or not compared:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    columns = min(4 if look.width > 6 else 2, len(names))
    lines = -(-len(names) // columns)
    width = min(look.width, 3.4 * columns)
    figure = Figure(figsize=(width, 1.9 * lines + 0.35), facecolor=look.paper)
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for panel, (name, n) in zip(panels, names.items(), strict=False):
        for family in compared:
            points = _stratum_points(found, rows, family, name)
            curve = found.curves[family]
            panel.plot(
                [x for x, _ in points], [y for _, y in points], "o-", color=look.of(curve.side),
                markersize=3.5, linewidth=1.3,
            )  # fmt: skip
        panel.set(xscale="log", facecolor=look.paper, ylim=(0, 1.02))
        panel.set_title(f"{name} ({n:,})", fontsize=8, color=look.ink, loc="left")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: amount_text(x)))
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.yaxis.set_major_locator(MaxNLocator(4))
        panel.tick_params(which="both", colors=look.muted, labelsize=7.5, length=0)
        panel.grid(color=look.rule, linewidth=0.7)
        for side in panel.spines.values():
            side.set_visible(False)
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    figure.tight_layout()
    return _saved(figure, "svg"), len(names)


def _stratum_points(
    found: Analysis, rows: Sequence[Row], family: str, name: str
) -> list[tuple[float, float]]:
    """Amount and mean error of each size of a family on a part of the queries."""
    sizes: dict[str, list[Row]] = {}
    for row in rows:
        if row.family == family and row.status == "done" and name in row.strata:
            sizes.setdefault(f"{row.size} {row.labels_share}", []).append(row)
    return sorted(
        (
            float(np.mean([found.measure.amount(row) for row in own])),
            float(np.mean([1.0 - row.strata[name].value for row in own])),
        )
        for own in sizes.values()
    )


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


def _saved(figure: Any, form: str) -> bytes:
    from matplotlib import rc_context

    drawn = BytesIO()
    metadata = {"Date": None} if form == "svg" else {}
    with rc_context({"svg.hashsalt": "parsimony", "svg.fonttype": "none"}):
        figure.savefig(
            drawn, format=form, dpi=160, metadata=metadata, facecolor=figure.get_facecolor()
        )
    return drawn.getvalue()
