"""A modulation formula as inline SVG: one row per layer, along which its state h moves.

Every row has the same four places, in the order in which operators are applied: a filled box is an
operator of the formula, an empty one leaves the state unchanged. The output of a row enters the
next layer; the output of the last becomes the rating.
"""

from __future__ import annotations

from parsimony.knowledge.formula import OPERATORS, POSITIONS, Formula

__all__ = ["formula_svg"]

_BOX, _HIGH, _STEP = 38, 24, 42
_LEFT, _ROW = 24, 40
_WIDTH = _LEFT + len(OPERATORS) * _STEP + 12
_SIGN = {"*": "×"}


def formula_svg(formula: Formula) -> str:
    """Return an ``<svg>``; its classes take their colours from the style sheet."""
    height = POSITIONS * _ROW + 12
    out = [
        f'<svg class="symbol formula" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="formula {formula}">'
    ]
    for p, operators in enumerate(formula.positions):
        y = _ROW * p + _HIGH / 2 + 2
        out += [_wire(y, last=p == POSITIONS - 1), _text(9, y, f"h{p}", "chunk")]
        for place, (operator, vector) in enumerate(OPERATORS.items()):
            x = _LEFT + place * _STEP
            there = operator in operators
            out.append(
                f'<rect class="{f"r{place + 1}" if there else "none"}" x="{x}" '
                f'y="{y - _HIGH / 2:g}" width="{_BOX}" height="{_HIGH}"/>'
            )
            if there:
                out.append(
                    _text(x + _BOX / 2, y, f"{_SIGN.get(operator, operator)} {vector}", "block")
                )
    out.append(_text(_WIDTH - 22, height - 9, "rating", "chunk"))
    return "".join([*out, "</svg>"])


def _wire(y: float, *, last: bool) -> str:
    """Draw the wire from h through the boxes and down to the next row."""
    right, under = _WIDTH - 4, y + _ROW / 2
    down = f"{right},{under - 4:g}" if last else f"{right},{under:g} 9,{under:g} 9,{y + 29:g}"
    return f'<polyline class="wire" points="{_LEFT - 5},{y:g} {right},{y:g} {down}"/>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y + 4:g}" text-anchor="middle">{text}</text>'
