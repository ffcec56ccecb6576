"""Small inline SVG charts: no script, colours from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["axis_titles", "line_chart", "series", "unit_chart"]

_WIDTH, _HEIGHT = 480, 226
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 14, 14, 46


def series(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """Return (epoch, value) of the epochs with a finite value of that name."""
    points = []
    for i, epoch in enumerate(history, start=1):
        value = epoch.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            points.append((float(epoch.get("epoch", i)), float(value)))
    return points


def ticks(low: float, high: float, n: int = 4) -> list[float]:
    """Return round numbers inside [low, high], about ``n`` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next((m for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw), 10.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def line_chart(
    points: Sequence[tuple[float, float]],
    *,
    title: str,
    across: str,
    up: str,
    best: float | None = None,
) -> str:
    """Draw a line over whole numbers.

    Parameters
    ----------
    points : sequence of (float, float)
        Whole number and value, at least one.
    title : str
        Text alternative of the chart.
    across, up : str
        Titles of the axes.
    best : float, optional
        Where across to mark a point.
    """
    from markupsafe import escape

    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    pad = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
    low, high = low - pad, high + pad
    left, right = min(xs), max(xs)
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        share = (x - left) / (right - left) if right > left else 0.5
        return _LEFT + share * width, _TOP + (high - y) / (high - low) * height

    out = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks(low, high):
        y = at(left, tick)[1]
        out.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    for tick in ticks(left, right, 6):
        if tick == int(tick):
            x = at(tick, low)[0]
            out.append(
                f'<text x="{x:.1f}" y="{_HEIGHT - 28}" text-anchor="middle">{tick:.0f}</text>'
            )
    out.append(axis_titles(across, up, _LEFT + width / 2, _HEIGHT - 8, _TOP + height / 2))
    line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in points)
    out.append(f'<polyline class="line" points="{line}"/>')
    marked = [(x, y) for x, y in points if x == best]
    for x, y in marked or (points if len(points) == 1 else []):
        cx, cy = at(x, y)
        anchor, shift = ("end", -8) if cx > _WIDTH / 2 else ("start", 8)
        below = cy + 18 if cy < _TOP + 24 else cy - 8
        out.append(f'<circle class="best" cx="{cx:.1f}" cy="{cy:.1f}" r="4"/>')
        out.append(
            f'<text class="value" x="{cx + shift:.1f}" y="{below:.1f}" text-anchor="{anchor}">'
            f"{y:.4g}</text>"
        )
    return "".join([*out, "</svg>"])


def axis_titles(across: str, up: str, x: float, y: float, middle: float) -> str:
    """Write the titles of both axes: one below, centred on x, one upright, centred on middle."""
    from markupsafe import escape

    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(across)}</text>'
        f'<text transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">'
        f"{escape(up)}</text>"
    )


def unit_chart(
    lines: Sequence[tuple[Sequence[tuple[float, float]], str]],
    *,
    title: str,
    across: str,
    up: str,
    diagonal: bool = False,
) -> str:
    """Draw lines of fractions: both axes run from 0 to 1.

    Parameters
    ----------
    lines : sequence of (points, class)
        Points (x, y) in [0, 1], and the style: "line", or "other" for a reference.
    title : str
        Text alternative of the chart.
    across, up : str
        Labels of the axes.
    diagonal : bool
        Draw the line x = y.
    """
    from markupsafe import escape

    size, left, top = 300, 52, 14
    width, height = left + size + 14, top + size + 48

    def at(x: float, y: float) -> str:
        return f"{left + x * size:.1f},{top + (1 - y) * size:.1f}"

    out = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">']
    for k in range(0, 11, 2):
        x, y = left + k / 10 * size, top + (1 - k / 10) * size
        out.append(f'<line class="grid" x1="{left}" x2="{left + size}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{k / 10:g}</text>')
        out.append(
            f'<text x="{x:.1f}" y="{top + size + 18}" text-anchor="middle">{k / 10:g}</text>'
        )
    middle = top + size / 2
    out.append(axis_titles(across, up, left + size / 2, height - 8, middle))
    if diagonal:
        out.append(f'<polyline class="diagonal" points="{at(0, 0)} {at(1, 1)}"/>')
    for points, style in lines:
        out.append(f'<polyline class="{style}" points="{" ".join(at(x, y) for x, y in points)}"/>')
        for x, y in points:
            cx, cy = at(x, y).split(",")
            out.append(f'<circle class="{style}" cx="{cx}" cy="{cy}" r="2.5"/>')
    return "".join([*out, "</svg>"])
