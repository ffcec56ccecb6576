"""Modulation formulas: how a user's ratings change the layers of a predictor (ColdNAS).

A formula has one expression per position. At each position the layer's state h is combined with at
most one vector per operator, in a fixed order,

    h ← min(max(h, a), b) * c + d,

each part of which may be left out. Any sequence of element-wise max, min, +, −, ×, ÷ with
constants of the user can be rewritten in this form (ColdNAS, WWW 2023, arXiv 2306.03387), hence 2⁴
formulas per position and 65,536 for four positions. FiLM is ``h * c + d`` everywhere.

As text, positions are separated by ``;`` or written on separate lines:

    h + d; h + d; max(h, a) + d; h
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from parsimony.decoding.documents import parse_toml
from parsimony.decoding.files import read_text
from parsimony.decoding.lines import shorten
from parsimony.errors import FormatError

__all__ = ["OPERATORS", "POSITIONS", "Formula", "modulate", "read_formula"]

#: The operators in the order in which they are applied, with the name of their vector.
OPERATORS: dict[str, str] = {"max": "a", "min": "b", "*": "c", "+": "d"}
POSITIONS = 4
_ORDER = tuple(OPERATORS)
_STATE = "h"
_LONGEST = 400
_EXAMPLE = "write min(max(h, a), b) * c + d, leaving out any of the operators"


@dataclass(frozen=True)
class Formula:
    """The operators that modulate each position.

    Attributes
    ----------
    positions : tuple of tuple of str
        Operators of each of the four positions, in the order of ``OPERATORS``, without repeats.

    Raises
    ------
    FormatError
        An operator is unknown or occurs twice, or there are not four positions.
    """

    positions: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Sort the operators."""
        if len(self.positions) != POSITIONS:
            raise FormatError(
                f"a formula has {POSITIONS} positions: the input and three layers. "
                f"Got {len(self.positions)}",
                remedy="separate them by ;, and write h where nothing is modulated",
            )
        ordered = []
        for number, operators in enumerate(self.positions):
            for operator in operators:
                if operator not in OPERATORS:
                    raise FormatError(
                        f"position {number} of the formula has the unknown operator {operator!r}",
                        remedy=f"operators: {', '.join(_ORDER)}",
                    )
            if len(set(operators)) < len(operators):
                raise FormatError(
                    f"position {number} of the formula has an operator twice",
                    remedy="write it once: applying it twice is the same as once",
                )
            ordered.append(tuple(sorted(operators, key=_ORDER.index)))
        object.__setattr__(self, "positions", tuple(ordered))

    @classmethod
    def parse(cls, text: str) -> Formula:
        """Parse a formula, or the name of one (``FiLM``, ``gate``, ``shift``, ``clip``, ``none``).

        Operators may be written in any order: all orders are equally expressive, so only the set
        of operators matters.

        Raises
        ------
        FormatError
            The message says which position is wrong, and why.
        """
        named = {name.lower(): formula for name, formula in cls.named().items()}
        if text.strip().lower() in named:
            return named[text.strip().lower()]
        parts = [part.strip() for part in text.replace("\n", ";").split(";")]
        return cls(tuple(_operators(part, n) for n, part in enumerate(filter(None, parts))))

    @classmethod
    def named(cls) -> dict[str, Formula]:
        """Return the named formulas."""
        return {
            "FiLM": cls((("*", "+"),) * POSITIONS),
            "gate": cls((("*",),) * POSITIONS),
            "shift": cls((("+",),) * POSITIONS),
            "clip": cls((("max", "min"),) * POSITIONS),
            "none": cls(((),) * POSITIONS),
        }

    @property
    def name(self) -> str | None:
        """The name of the formula, or None if it has no name."""
        return next((name for name, formula in self.named().items() if formula == self), None)

    @property
    def n_operators(self) -> int:
        """Number of operators, the description length of the formula."""
        return sum(map(len, self.positions))

    @property
    def bits(self) -> int:
        """The formula as an integer: bit 4 p + o for operator o of position p."""
        return sum(
            1 << (len(_ORDER) * p + _ORDER.index(operator))
            for p, operators in enumerate(self.positions)
            for operator in operators
        )

    @classmethod
    def from_bits(cls, bits: int) -> Formula:
        """Return the formula encoded by an integer; see :attr:`bits`."""
        return cls(
            tuple(
                tuple(o for i, o in enumerate(_ORDER) if bits >> (len(_ORDER) * p + i) & 1)
                for p in range(POSITIONS)
            )
        )

    def gates(self) -> tuple[tuple[bool, ...], ...]:
        """Whether each operator is present: one row per position."""
        return tuple(tuple(o in operators for o in _ORDER) for operators in self.positions)

    def __str__(self) -> str:
        """Return the expressions on one line."""
        return "; ".join(map(_expression, self.positions))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"

    def text(self) -> str:
        """Return one line per position: how the layer's state is modulated."""
        return "\n".join(f"h{p} <- {_expression(o)}" for p, o in enumerate(self.positions))

    def latex(self) -> str:
        """Return LaTeX: superscripts denote the position, a hat the modulated state."""
        lines = []
        for p, operators in enumerate(self.positions):
            right = rf"h^{{{p}}}"
            for operator in operators:
                vector = rf"{OPERATORS[operator]}^{{{p}}}_u"
                right = {
                    "max": rf"\max({right}, {vector})",
                    "min": rf"\min({right}, {vector})",
                    "*": rf"{right} \odot {vector}",
                    "+": rf"{right} + {vector}",
                }[operator]
            lines.append(rf"\hat h^{{{p}}} &= {right}")
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def apply(self, position: int, state: Any, vectors: Mapping[str, Any]) -> Any:
        """Modulate a layer's state.

        Parameters
        ----------
        position
            From 0.
        state
            Array or tensor, (…, width).
        vectors
            The user's vector for each operator; its shape must broadcast with the state.
        """
        for operator in self.positions[position]:
            state = modulate(operator, state, vectors[operator])
        return state


def modulate(operator: str, state: Any, vector: Any) -> Any:
    """Apply one operator to an array or a tensor."""
    if operator == "*":
        return state * vector
    if operator == "+":
        return state + vector
    if isinstance(state, (np.ndarray, float, np.floating)):
        return np.maximum(state, vector) if operator == "max" else np.minimum(state, vector)
    return state.maximum(vector) if operator == "max" else state.minimum(vector)


def read_formula(path: str | os.PathLike[str]) -> Formula:
    """Read the formula of a knowledge.toml, or of a text file with expressions or a name.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    FormatError
        There is no formula, or a position is wrong.
    """
    where, text = os.fspath(path), read_text(path)
    if where.endswith(".toml"):
        table = parse_toml(text, where, remedy="correct that line").get("formula")
        rows = table.get("positions") if isinstance(table, dict) else table
        if not isinstance(rows, (list, str)):
            raise FormatError(
                "no [formula] with positions",
                remedy='write [formula] and positions = ["h * c + d", "h", "h", "h"]',
                where=where,
            )
        text = rows if isinstance(rows, str) else "\n".join(map(str, rows))
    try:
        return Formula.parse(text)
    except FormatError as error:
        raise FormatError(error.message, remedy=error.remedy, where=where) from None


def _expression(operators: Sequence[str]) -> str:
    text = _STATE
    for operator in operators:
        vector = OPERATORS[operator]
        text = (
            f"{operator}({text}, {vector})"
            if operator in ("max", "min")
            else f"{text} {operator} {vector}"
        )
    return text


def _operators(text: str, position: int) -> tuple[str, ...]:
    """Return the operators of one expression, optionally preceded by ``h0 <-``."""
    body = text.split("<-")[-1].strip()
    if len(body) > _LONGEST:
        raise _wrong(position, text, f"is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(body, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _wrong(position, text, "cannot be parsed") from None
    return tuple(_walk(tree, position, text))[::-1]


def _walk(node: ast.expr, position: int, text: str) -> Iterator[str]:
    """Yield the operators from the outermost to the innermost."""
    while not (isinstance(node, ast.Name) and node.id == _STATE):
        match node:
            case ast.BinOp(left=left, op=ast.Mult(), right=ast.Name(id="c")):
                operator, node = "*", left
            case ast.BinOp(left=left, op=ast.Add(), right=ast.Name(id="d")):
                operator, node = "+", left
            case ast.Call(
                func=ast.Name(id="max" | "min" as called),
                args=[inner, ast.Name(id=vector)],
                keywords=[],
            ) if OPERATORS[called] == vector:
                operator, node = called, inner
            case ast.Call(func=ast.Name(id=called)) if called not in ("max", "min"):
                raise _wrong(position, text, f"has the unknown operator {called!r}")
            case ast.Name(id=name):
                raise _wrong(position, text, f"has the unknown name {name!r}")
            case _:
                raise _wrong(position, text, "has an unknown part")
        yield operator


def _wrong(position: int, text: str, what: str) -> FormatError:
    return FormatError(
        f"position {position} of the formula, {shorten(text)}, {what}", remedy=_EXAMPLE
    )
