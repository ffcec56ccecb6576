"""The figure of a frontier: error against size, both on logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from parsimony.explain.figures import canvas
from parsimony.frontier.analysis import Analysis, Crossing
from parsimony.frontier.curves import Curve, Point
from parsimony.frontier.look import Look, plain_axes, saved, ticks
from parsimony.frontier.words import METRICS, amount_text, limit_text

__all__ = ["frontier_figure"]

_MARKERS = "osD^vP*X"
_DASHED = (0, (4, 3))
#: errors below it have no place on a logarithm, and are drawn there
_LEAST = 1e-4
_NEAR = 1.15  # of the arrow's error: a point within that is in the way of its words
_BELOW = 3.0  # times below the least error that was measured ends the axis


def frontier_figure(
    found: Analysis, metric: str, look: Look, form: Literal["svg", "png"] = "svg"
) -> bytes:
    """Draw all families, the laws and bands of the two compared, and the equivalent scale.

    Returns
    -------
    bytes
        Of the image.
    """
    keys = _keys(found, look)
    below = 0.0 if look.wide else 0.17 * (len(found.curves) + len(keys)) + 0.1  # the legend
    height = 5.6 if look.wide else 3.6 + below
    figure, axes = canvas(look.width, height)
    figure.set_facecolor(look.paper)
    low = below / height
    axes.set_position(
        (0.085, 0.11, 0.665, 0.85) if look.wide else (0.16, low + 0.1, 0.81, 0.88 - low)
    )
    axes.set(xscale="log", yscale="log")
    compared = [best.family for best in (found.knowledge, found.scaled) if best is not None]
    counts = {"knowledge": 0, "scaled": 0}
    for name, curve in found.curves.items():
        marker = _MARKERS[counts[curve.side] % len(_MARKERS)]
        counts[curve.side] += 1
        _draw_curve(axes, curve, name in compared, marker, look)
    forward = found.crossing(found.knowledge, found.scaled)
    if forward is not None:
        every = [point for curve in found.curves.values() for point in curve.points]
        _draw_crossing(axes, forward, every, look)
    _decorate(axes, found, metric, look)
    handles, labels = axes.get_legend_handles_labels()
    place: dict[str, Any] = (
        {"loc": "upper left", "bbox_to_anchor": (0.755, 0.97)} if look.wide
        else {"loc": "lower left", "bbox_to_anchor": (0.13, 0.0)}
    )  # fmt: skip
    figure.legend(
        [*handles, *(handle for handle, _ in keys)], [*labels, *(words for _, words in keys)],
        frameon=False, fontsize=8.5 if look.wide else 7.5, labelcolor=look.ink, **place,
    )  # fmt: skip
    return saved(figure, form)


def _draw_curve(axes: Any, curve: Curve, first: bool, marker: str, look: Look) -> None:
    colour, strength = look.of(curve.side), 1.0 if first else 0.45
    for point in curve.points:
        axes.plot(
            [point.amount] * 2, _drawn([point.low, point.high]), color=colour,
            alpha=0.6 * strength, linewidth=1,
        )  # fmt: skip
        axes.plot(
            point.amount, _drawn(point.error), marker, color=colour, alpha=strength,
            markersize=6 if first else 4.5,
            markerfacecolor=colour if point.role == "law" else look.paper,
            zorder=4,  # no word hides a measured point
        )  # fmt: skip
    name = f"{curve.family}{' (compared)' if first else ''}"
    line = {"color": colour, "alpha": strength, "linewidth": 1.8 if first else 0.9}
    axes.plot([], [], marker=marker, label=name, **line)
    low, high = curve.ends
    inner, outer = np.geomspace(low, high, 60), np.geomspace(high, high * curve.reach, 30)
    if curve.laws is None or curve.summary.get("lawless"):  # what lies between is joined
        used = [point for point in curve.points if point.role == "law"]
        axes.plot([p.amount for p in used], _drawn([p.error for p in used]), **line)
    else:
        axes.plot(inner, _drawn(curve.band(inner)[1]), **line)
    if curve.laws is None:
        return
    if not first:
        return
    parts = [(inner, 0.18)]
    if curve.reach > 1:
        axes.plot(outer, _drawn(curve.band(outer)[1]), linestyle=_DASHED, **line)
        parts.append((outer, 0.09))
    for amounts, alpha in parts:
        lower, _, upper = _drawn(curve.band(amounts))
        axes.fill_between(amounts, lower, upper, color=colour, alpha=alpha, linewidth=0)
    for held in curve.summary.get("held_out", ()):
        x = held["amount"] * 1.05
        axes.plot(x, _drawn(held["predicted"]), "x", color=look.ink, markersize=6)
        axes.plot([x] * 2, _drawn(held["interval"]), color=look.ink, linewidth=0.8)


def _drawn(errors: Any) -> Any:
    return np.maximum(errors, _LEAST)


def _draw_crossing(axes: Any, crossing: Crossing, points: Sequence[Point], look: Look) -> None:
    """An arrow from the model driven by knowledge to where the other family has its error.

    Its words stand above it, or below where points are in their way.
    """
    scale, own = crossing.scale, crossing.model.group.amount
    target = scale.middle if scale.low is not None else (scale.at_least or scale.at_most)
    if target is None:
        return
    error = float(_drawn(crossing.model.error))
    axes.plot([target], [error], alpha=0)  # so that the axis holds it
    axes.annotate(
        "", (target, error), (own, error),
        arrowprops={
            "arrowstyle": "-|>", "color": look.ink, "linewidth": 1.3, "shrinkA": 6, "shrinkB": 0,
            "linestyle": "--" if scale.extrapolated else "-",
        },
    )  # fmt: skip
    words = limit_text(scale) + ", extrapolated" * scale.extrapolated
    ends = sorted((own, target))
    near = [p.error / error for p in points if ends[0] <= p.amount <= ends[1]]
    below = any(1 < ratio < _NEAR for ratio in near) and not any(1 > r > 1 / _NEAR for r in near)
    axes.annotate(
        words, ((own * target) ** 0.5, error), (0, -9 if below else 9), textcoords="offset points",
        ha="center", va="top" if below else "bottom", fontsize=8.5 if look.wide else 7.5,
        color=look.ink,
        bbox={"facecolor": look.paper, "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )  # fmt: skip


def _decorate(axes: Any, found: Analysis, metric: str, look: Look) -> None:
    """Name the axes, and let them hold every point and every prediction."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    name = METRICS.get(metric, metric.replace("_", " "))
    axes.set_xlabel(found.measure.words, fontsize=9 if look.wide else 8, color=look.muted)
    axes.set_ylabel(f"1 − {name}, test", fontsize=9 if look.wide else 8, color=look.muted)
    curves = found.curves.values()
    errors = [v for curve in curves for p in curve.points for v in (p.low, p.high)]
    errors += [h["predicted"] for curve in curves for h in curve.summary.get("held_out", ())]
    # An interval of few seeds may reach far below every error that was measured.
    least = min(p.error for curve in curves for p in curve.points) / _BELOW
    low = max(min(errors), least, _LEAST) / 1.3
    axes.set_ylim(low, max(min(max(errors) * 1.15, 1.3), low * 1.3))
    plain_axes(axes, look, 8.5 if look.wide else 7.5)
    for axis, limits, text in (
        (axes.xaxis, axes.get_xlim(), amount_text), (axes.yaxis, axes.get_ylim(), "{:g}".format)
    ):  # fmt: skip
        at = ticks(*limits)
        axis.set_major_locator(FixedLocator(at))
        axis.set_major_formatter(FixedFormatter([text(value) for value in at]))
        axis.set_minor_locator(NullLocator())


def _keys(found: Analysis, look: Look) -> list[tuple[Any, str]]:
    """What marks mean, of those that are drawn."""
    from matplotlib.lines import Line2D

    compared = {best.family for best in (found.knowledge, found.scaled) if best is not None}
    first = [found.curves[family] for family in compared]
    hollow = any(p.role != "law" for curve in found.curves.values() for p in curve.points)
    keys: list[tuple[bool, dict[str, Any], str]] = [
        (hollow, {"marker": "o", "color": look.muted, "markerfacecolor": look.paper},
         "left out as over-fitted"),
        (any(curve.summary.get("held_out") for curve in first),
         {"marker": "x", "color": look.ink}, "held out, as predicted"),
        (any(curve.laws is not None and curve.reach > 1 for curve in first),
         {"linestyle": _DASHED, "color": look.muted}, "extrapolation"),
    ]  # fmt: skip
    return [
        (Line2D([], [], **({"linestyle": ""} | how)), words) for drawn, how, words in keys if drawn
    ]
