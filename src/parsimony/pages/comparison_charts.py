"""The charts of strata and of several runs as SVG, drawn at the width of a phone.

Runs are told apart by a letter as well as by colour; a chart of a single run has plain dots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from parsimony.pages.charts import ticks
from parsimony.run.description import size_text

__all__ = ["Mark", "letter", "size_chart", "strata_chart"]

_WIDTH = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 104, 60, 22, 38  # of a chart of strata
_ROW, _GAP = 19, 7
_COLOURS = 4


class Mark(NamedTuple):
    """A value with its interval; ``letter`` is "" in a chart of a single run."""

    letter: str
    value: float
    low: float
    high: float


def letter(number: int) -> str:
    """Return the letters of a run: A to Z, then AA, AB and so on."""
    head, last = divmod(number, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + last)


def _style(number: int) -> str:
    return f"m{number % _COLOURS}"


def strata_chart(
    rows: Sequence[tuple[str, int, Sequence[Mark | None]]],
    *,
    title: str,
    across: str,
    limit: float = 1.0,
) -> str:
    """Draw the strata one below the other on a scale from 0, each with one mark per run.

    Parameters
    ----------
    rows : sequence of (name, n, marks)
        Name of a stratum, how many queries it has, and a mark per run: None where it has none.
    title : str
        Text alternative of the chart.
    across : str
        Title of the axis.
    limit : float
        End of the scale; no interval goes beyond it.
    """
    from markupsafe import escape

    def x(value: float) -> float:
        return _LEFT + value / limit * (_WIDTH - _LEFT - _RIGHT)

    heights = [len(marks) * _ROW + _GAP for _, _, marks in rows]
    bottom = _TOP + sum(heights)
    out = [
        f'<svg viewBox="0 0 {_WIDTH} {bottom + _BOTTOM}" role="img" aria-label="{escape(title)}">'
    ]
    for tick in (limit * k / 4 for k in range(5)):
        out.append(
            f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP}" '
            f'y2="{bottom}"/><text x="{x(tick):.1f}" y="{bottom + 15}" text-anchor="middle">'
            f"{tick:.3g}</text>"
        )
    out.append(
        f'<text x="{x(limit / 2):.1f}" y="{bottom + 33}" text-anchor="middle">{escape(across)}'
        f'</text><text x="{_WIDTH}" y="12" text-anchor="end">number</text>'
    )
    top = float(_TOP)
    for (name, n, marks), height in zip(rows, heights, strict=True):
        first = top + (_ROW + _GAP) / 2
        out.append(
            f'<text class="value" x="{_LEFT - 14}" y="{first + 4:.1f}" text-anchor="end">'
            f'{escape(name)}</text><text x="{_WIDTH}" y="{first + 4:.1f}" text-anchor="end">'
            f"{n:,}</text>"
        )
        for i, mark in enumerate(marks):
            if mark is not None:
                y = first + i * _ROW
                out.append(
                    f'<line class="interval {_style(i)}" x1="{x(mark.low):.1f}" '
                    f'x2="{x(mark.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
                    + _dot(x(mark.value), y, i, mark)
                )
        top += height
    return "".join([*out, "</svg>"])


def size_chart(points: Sequence[tuple[int, Mark | None]], *, title: str, up: str) -> str:
    """Draw accuracy against description length, whose axis is logarithmic.

    Parameters
    ----------
    points : sequence of (bytes, mark)
        One per run; None where a run has no such measure. At least one mark.
    title : str
        Text alternative of the chart.
    up : str
        What the upward axis shows.
    """
    from markupsafe import escape

    shown = [(i, max(size, 1), mark) for i, (size, mark) in enumerate(points) if mark is not None]
    left, right, top, bottom = 50, 18, 24, 44
    width, height = _WIDTH - left - right, 190
    low, high = min(m.low for _, _, m in shown), max(m.high for _, _, m in shown)
    pad = (high - low) * 0.08 or 0.01
    low, high = low - pad, high + pad
    decades = [math.log10(size) for _, size, _ in shown]
    first, last = math.floor(min(decades)), math.ceil(max(decades))
    last = max(last, first + 1)

    def x(size: float) -> float:
        return left + (math.log10(size) - first) / (last - first) * width

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * height

    out = [
        f'<svg viewBox="0 0 {_WIDTH} {top + height + bottom}" role="img" '
        f'aria-label="{escape(title)}"><text x="{left}" y="12">{escape(up)}</text>'
    ]
    for tick in ticks(low, high):
        out.append(
            f'<line class="grid" x1="{left}" x2="{_WIDTH - right}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{tick:.4g}</text>"
        )
    step = max(1, math.ceil((last - first) / 5))
    for decade in range(first, last + 1, step):
        out.append(
            f'<line class="grid" x1="{x(10**decade):.1f}" x2="{x(10**decade):.1f}" y1="{top}" '
            f'y2="{top + height}"/><text x="{x(10**decade):.1f}" y="{top + height + 17}" '
            f'text-anchor="middle">{size_text(10**decade)}</text>'
        )
    out.append(
        f'<text x="{left + width / 2}" y="{top + height + 37}" text-anchor="middle">'
        "description length in bytes (log)</text>"
    )
    for i, size, mark in shown:
        out.append(
            f'<line class="interval {_style(i)}" x1="{x(size):.1f}" x2="{x(size):.1f}" '
            f'y1="{y(mark.high):.1f}" y2="{y(mark.low):.1f}"/>'
            + _dot(x(size), y(mark.value), i, mark)
        )
    return "".join([*out, "</svg>"])


def _dot(x: float, y: float, number: int, mark: Mark) -> str:
    """Draw the mark of a run: a dot, with its letter where there are several."""
    radius = 7.5 if mark.letter else 4
    text = f'<text class="mark" x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle">{mark.letter}'
    return (
        f'<circle class="{_style(number)}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>'
        f"{mark.letter} {mark.value:.4g} ({mark.low:.4g} to {mark.high:.4g})</title></circle>"
        + f"{text}</text>"
        * bool(mark.letter)
    )
