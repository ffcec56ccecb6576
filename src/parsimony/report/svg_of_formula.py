"""A modulation formula as SVG inside a page: a row a layer, which its state h walks to the right.

Every row has the same four places, in the order in which operators are applied: a filled box is an
operator of the formula, an empty one is passed by. The state that leaves a row enters the next.
"""

from __future__ import annotations

from parsimony.knowledge.formula import OPERATORS, Formula

__all__ = ["formula_svg"]

_BOX, _STEP = (38, 24), 42
_LEFT, _ROW = 24, 40
_SIGN = {"*": "×", "+": "+"}


def formula_svg(formula: Formula) -> str:
    """Return an ``<svg>``; its classes take their colours from the style sheet."""
    width = _LEFT + len(OPERATORS) * _STEP + 14
    height = _ROW * len(formula.positions) + 16
    out = [
        f'<svg class="symbol" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="formula {formula}">'
    ]
    for p, operators in enumerate(formula.positions):
        y = _ROW * p + _BOX[1] / 2 + 2
        last = p == len(formula.positions) - 1
        down = f"{width - 6},{y + _ROW / 2} 6,{y + _ROW / 2}" + ("" if last else f" 6,{y + 28}")
        out.append(
            f'<polyline class="wire" points="{_LEFT - 4},{y} {width - 6},{y} {down}"/>'
            + _text(10, y, f"h{p}", "chunk")
        )
        for number, (operator, vector) in enumerate(OPERATORS.items()):
            there = operator in operators
            x = _LEFT + number * _STEP
            style = f"r{number + 1}" if there else "none"
            out.append(
                f'<rect class="{style}" x="{x}" y="{y - _BOX[1] / 2:g}" width="{_BOX[0]}" '
                f'height="{_BOX[1]}"/>'
            )
            if there:
                sign = _SIGN.get(operator, operator)
                out.append(_text(x + _BOX[0] / 2, y, f"{sign} {vector}", "block"))
    out.append(_text(width / 2, height - 6, "rating", "chunk"))
    return "".join([*out, "</svg>"])


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y + 4:g}" text-anchor="middle">{text}</text>'
