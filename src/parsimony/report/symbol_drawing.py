"""Figures of symbols: coloured blocks, one colour per relation chunk, hatched where negative."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parsimony.errors import InvalidParameter
from parsimony.explain.figures import INK, MUTED, RULE, canvas, save_figure
from parsimony.knowledge.symbol import SIZE, Symbol

__all__ = ["symbol_figure"]

_FILL = ("#9dbbd8", "#e8b77d", "#a9c79a", "#c9a9c9")  # r1 … r4
_SIDE = 1.9  # inches of one symbol
_COLUMNS = 5


def symbol_figure(
    symbols: Symbol | Mapping[str, Symbol], path: Path | str | os.PathLike[str]
) -> Path:
    """Draw one symbol, or several with their captions.

    Parameters
    ----------
    symbols : Symbol or mapping of str to Symbol
        Captions are the keys; a single symbol is captioned with its name, if it has one.
    path : path
        PNG, SVG or PDF, by suffix.

    Raises
    ------
    InvalidParameter
        No symbol, or Matplotlib cannot write that format.
    """
    if isinstance(symbols, Symbol):
        symbols = {symbols.name or "": symbols}
    if not symbols:
        raise InvalidParameter("no symbol to draw", remedy="give at least one")
    columns = min(_COLUMNS, len(symbols))
    rows = -(-len(symbols) // columns)
    width, height = columns * _SIDE, rows * (_SIDE + 0.15)
    figure, axes = canvas(width, height)
    axes.set(xlim=(0, width), ylim=(-height, 0))
    axes.axis("off")
    for n, (caption, symbol) in enumerate(symbols.items()):
        _draw(axes, symbol, caption, (n % columns) * _SIDE, -(n // columns) * (_SIDE + 0.15))
    return save_figure(figure, path)


def _draw(axes: Any, symbol: Symbol, caption: str, x: float, y: float) -> None:
    """Draw the blocks with their labels; (x, y) is the upper left corner, in inches."""
    from matplotlib.patches import Rectangle

    left, top, side = x + 0.36, y - 0.5, (_SIDE - 0.48) / SIZE
    axes.text(left, y - 0.14, caption, fontsize=8.5, color=INK, va="center", parse_math=False)
    for i, row in enumerate(symbol.cells):
        middle = top - (i + 0.5) * side
        axes.text(
            left - 0.14, middle, rf"$h_{i + 1}$", fontsize=8, color=MUTED, ha="center", va="center"
        )
        axes.text(
            left + (i + 0.5) * side, top + 0.12, rf"$t_{i + 1}$", fontsize=8, color=MUTED,
            ha="center", va="center",
        )  # fmt: skip
        for j, value in enumerate(row):
            corner = (left + j * side, top - (i + 1) * side)
            fill = _FILL[abs(value) - 1] if value else "white"
            axes.add_patch(
                Rectangle(
                    corner, side, side, facecolor=fill, edgecolor=MUTED if value < 0 else RULE,
                    hatch="////" if value < 0 else None, linewidth=0.0 if value < 0 else 0.8,
                )
            )  # fmt: skip
            axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=RULE, linewidth=0.8))
            if value:
                axes.text(
                    left + (j + 0.5) * side, middle, f"{'−' if value < 0 else ''}{abs(value)}",
                    fontsize=9, color=INK, ha="center", va="center",
                    bbox={"facecolor": fill, "edgecolor": "none", "pad": 1.2},
                )  # fmt: skip
