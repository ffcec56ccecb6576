"""A symbol as inline SVG: coloured blocks, one colour per relation chunk, hatched if negative.

The same picture as :func:`parsimony.report.symbol_figure`, for pages without image files.
"""

from __future__ import annotations

from parsimony.knowledge.symbol import SIZE, Symbol

__all__ = ["symbol_svg"]

_SIDE = 34  # of a block
_EDGE = 22  # margin left and above, for the names of the chunks
_HATCH = 4  # full lines in a negative block, and as many half lines


def symbol_svg(symbol: Symbol) -> str:
    """Return an ``<svg>``; its classes take their colours from the style sheet."""
    size = _EDGE + SIZE * _SIDE + 2
    out = [
        f'<svg class="symbol" viewBox="0 0 {size} {size}" role="img" aria-label="blocks {symbol}">'
    ]
    for i in range(SIZE):
        middle = _EDGE + (i + 0.5) * _SIDE
        out.append(_text(_EDGE / 2, middle, f"h{i + 1}") + _text(middle, _EDGE / 2, f"t{i + 1}"))
    for i, row in enumerate(symbol.cells):
        for j, value in enumerate(row):
            out.append(_block(_EDGE + j * _SIDE, _EDGE + i * _SIDE, value))
    return "".join([*out, "</svg>"])


def _text(x: float, y: float, text: str, style: str = "chunk") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y + 4:g}" text-anchor="middle">{text}</text>'


def _block(x: float, y: float, value: int) -> str:
    style = f"r{abs(value)}" if value else "none"
    parts = [f'<rect class="{style}" x="{x}" y="{y}" width="{_SIDE}" height="{_SIDE}"/>']
    if value < 0:
        for k in range(1, 2 * _HATCH):
            offset = k * _SIDE / _HATCH  # of the line from lower left to upper right
            over, within = max(0.0, offset - _SIDE), min(offset, _SIDE)
            parts.append(
                f'<line class="hatch" x1="{x + over:g}" y1="{y + within:g}" '
                f'x2="{x + within:g}" y2="{y + over:g}"/>'
            )
        parts.append(
            f'<rect class="{style} bare" x="{x + 8}" y="{y + 8}" width="{_SIDE - 16}" '
            f'height="{_SIDE - 16}"/>'
        )
    if value:
        shown = f"−{-value}" if value < 0 else str(value)
        parts.append(_text(x + _SIDE / 2, y + _SIDE / 2, shown, "block"))
    return "".join(parts)
