"""The charts of a search as SVG: trials over time, and finalists with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

from parsimony.pages.charts import axis_titles, ticks

__all__ = ["interval_chart", "trials_chart"]

_WIDTH, _LEFT, _RIGHT = 720, 70, 16
_HEIGHT, _TOP, _BOTTOM = 300, 12, 44
_ROW = 30
#: Styles of the rungs, the highest last.
STYLES = ("other", "line", "best")

Points = Sequence[tuple[float, float]]


def trials_chart(rungs: Sequence[tuple[str, Points]], *, title: str, across: str, up: str) -> str:
    """Draw every trial as a dot and the best so far on each rung as steps.

    Parameters
    ----------
    rungs : sequence of (style, points)
        Points (time, figure) in order of time; at least one point in total.
    title : str
        Text alternative of the chart.
    across, up : str
        Titles of the axes.
    """
    from markupsafe import escape

    xs = [x for _, points in rungs for x, _ in points]
    ys = [y for _, points in rungs for _, y in points]
    last = max(xs)
    low, high = min(ys), max(ys)
    pad = (high - low) * 0.06 or 0.01
    low, high = low - pad, high + pad
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        share = x / last if last > 0 else 0.5
        return _LEFT + share * width, _TOP + (high - y) / (high - low) * height

    out = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks(low, high):
        y = at(0, tick)[1]
        out.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        )
    for tick in ticks(0.0, last, 6):
        x = at(tick, low)[0]
        out.append(f'<text x="{x:.1f}" y="{_HEIGHT - 26}" text-anchor="middle">{tick:g}</text>')
    out.append(axis_titles(across, up, _LEFT + width / 2, _HEIGHT - 6, _TOP + height / 2))
    for style, points in rungs:
        line: list[tuple[float, float]] = []
        record = float("-inf")
        for x, y in points:
            cx, cy = at(x, y)
            out.append(f'<circle class="trial {style}" cx="{cx:.1f}" cy="{cy:.1f}" r="2.5"/>')
            if y > record:
                if line:
                    line.append((x, record))
                line.append((x, y))
                record = y
        if line:
            line.append((last, record))
            steps = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in line)
            out.append(f'<polyline class="steps {style}" points="{steps}"/>')
    return "".join([*out, "</svg>"])


def interval_chart(
    rows: Sequence[tuple[str, float, float, float]], *, title: str, across: str, best: str
) -> str:
    """Draw one row per model: a dot and its interval.

    Parameters
    ----------
    rows : sequence of (name, value, low, high)
        At least one.
    title : str
        Text alternative of the chart.
    across : str
        Title of the axis.
    best : str
        The name to highlight.
    """
    from markupsafe import escape

    left = 150
    low, high = min(row[2] for row in rows), max(row[3] for row in rows)
    pad = (high - low) * 0.06 or 0.01
    low, high = low - pad, high + pad
    bottom = _TOP + len(rows) * _ROW

    def at(x: float) -> float:
        return left + (x - low) / (high - low) * (_WIDTH - left - _RIGHT)

    out = [f'<svg viewBox="0 0 {_WIDTH} {bottom + 42}" role="img" aria-label="{escape(title)}">']
    for tick in ticks(low, high, 6):
        x = at(tick)
        out.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
            f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{tick:.4g}</text>'
        )
    out.append(
        f'<text x="{(left + _WIDTH - _RIGHT) / 2}" y="{bottom + 36}" text-anchor="middle">'
        f"{escape(across)}</text>"
    )
    for i, (name, value, lower, upper) in enumerate(rows):
        y = _TOP + (i + 0.5) * _ROW
        style = "best" if name == best else "line"
        out.append(
            f'<text class="value" x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}'
            f'</text><line class="interval {style}" x1="{at(lower):.1f}" x2="{at(upper):.1f}" '
            f'y1="{y}" y2="{y}"/><circle class="{style}" cx="{at(value):.1f}" cy="{y}" r="4.5"/>'
        )
    return "".join([*out, "</svg>"])
