"""A symbol: the block structure of a bilinear scoring function (docs/methods/autoblm.md).

Entities and relations have vectors of dimension d, divided into K = 4 chunks. The structure A says
which chunks are multiplied::

    f(h, r, t) = Σ_ij sgn(A_ij) ⟨h_i, r_|A_ij|, t_j⟩ = hᵀ G(r) t

with ⟨a, b, c⟩ = Σ a b c. DistMult, ComplEx, SimplE, Analogy and CP are points of this space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import FormatError, InvalidParameter
from parsimony.knowledge.symbol_canonical import (
    Equivalence,
    canonical,
    canonical_keys,
    equivalence,
)
from parsimony.knowledge.symbol_names import NAMED_CELLS, SIZE, Cells
from parsimony.knowledge.symbol_patterns import Patterns, degenerate, generic_rank, patterns
from parsimony.knowledge.symbol_text import (
    checked_cells,
    format_infix,
    format_latex,
    format_rows,
    parse_cells,
)

__all__ = ["SIZE", "Symbol", "check_dimension"]


@dataclass(frozen=True)
class Symbol:
    """A signed 4×4 block structure.

    Parameters
    ----------
    cells : 4 × 4 int
        Rows are head chunks, columns tail chunks; an entry is a relation chunk, counted from 1,
        with the sign of the block, or 0 where there is none.

    Raises
    ------
    InvalidParameter
        Not 4×4, or an entry outside −4 … 4.
    """

    cells: Cells

    def __post_init__(self) -> None:
        """Validate shape and range; convert arrays and lists to tuples."""
        object.__setattr__(self, "cells", checked_cells(self.cells))

    # ---- construction ------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str, *, where: str | None = None) -> Symbol:
        """Parse a name (``"ComplEx"``), 4 rows of 4 signed numbers, or infix.

        Raises
        ------
        UnknownSymbol
            The word is not a name; the closest one is suggested.
        FormatError
            The message says which cell or term is wrong.
        """
        return cls(parse_cells(text, where=where))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, where: str | None = None) -> Symbol:
        """Read the table ``[symbol]`` of a knowledge.toml; rows take precedence over the name.

        Raises
        ------
        UnknownSymbol, FormatError
        """
        rows = value.get("rows", value.get("name"))
        if isinstance(rows, str):
            return cls.parse(rows, where=where)
        if isinstance(rows, list) and all(isinstance(row, str) for row in rows):
            return cls.parse("\n".join(rows), where=where)
        try:
            return cls(rows)  # checked by the constructor
        except InvalidParameter as error:
            raise FormatError(error.message, remedy=error.remedy, where=where) from None

    @staticmethod
    def named() -> Mapping[str, Symbol]:
        """Return the named symbols: textbook models and published search results."""
        return _named()

    # ---- properties --------------------------------------------------------------------------

    @property
    def blocks(self) -> tuple[tuple[int, int, int, int], ...]:
        """(head chunk, relation chunk, tail chunk, ±1) of every block, counted from 0."""
        return tuple(
            (i, abs(value) - 1, j, 1 if value > 0 else -1)
            for i, row in enumerate(self.cells)
            for j, value in enumerate(row)
            if value
        )

    @property
    def n_blocks(self) -> int:
        """Number of blocks, that is, of non-zero entries."""
        return sum(value != 0 for row in self.cells for value in row)

    @cached_property
    def name(self) -> str | None:
        """Name of the published symbol that it is equivalent to, or None."""
        return _names().get(self.key)

    @cached_property
    def key(self) -> int:
        """A number shared by all equivalent structures; see :mod:`.symbol_canonical`."""
        return int(canonical_keys([self.cells])[0])

    def canonical(self) -> Symbol:
        """Return the smallest equivalent structure."""
        return Symbol(canonical([self.cells])[0].tolist())

    def equivalence(self, other: Symbol) -> Equivalence | None:
        """Return the map from embeddings of this structure to those of another one, or None."""
        return equivalence(self.cells, other.cells)

    def transpose(self) -> Symbol:
        """Return the structure with head and tail exchanged."""
        return Symbol(tuple(zip(*self.cells, strict=True)))

    @property
    def rank(self) -> int:
        """Rank of G(r) for almost all r."""
        return int(generic_rank([self.cells])[0])

    @property
    def degenerate(self) -> bool:
        """Whether some parameters have no effect: rank below 4, or an unused relation chunk."""
        return bool(degenerate([self.cells])[0])

    @cached_property
    def patterns(self) -> Patterns:
        """Relation patterns it can express: symmetric, skew-symmetric, inverse, general."""
        return patterns(self.cells)

    # ---- text ------------------------------------------------------------------

    def matrix(self) -> npt.NDArray[np.int8]:
        """Return the cells as an array (4, 4)."""
        return np.array(self.cells, dtype=np.int8)

    def text(self) -> str:
        """Return 4 aligned rows, which :meth:`parse` reads back."""
        return format_rows(self.cells)

    def infix(self) -> str:
        """Return ``h1*r1*t1 - h2*r3*t4``, which :meth:`parse` reads back unless it is empty."""
        return format_infix(self.cells)

    def latex(self) -> str:
        """Return ``hᵀ G(r) t`` with G(r) as a LaTeX matrix."""
        return format_latex(self.cells)

    def __str__(self) -> str:
        """Return the rows on one line: ``1 0 3 0; 0 2 0 4; -3 0 1 0; 0 -4 0 2``."""
        return format_rows(self.cells, between="; ")

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"

    def to_dict(self) -> dict[str, Any]:
        """Return the table ``[symbol]`` of a knowledge.toml: rows, and the name if it has one."""
        named = {"name": self.name} if self.name else {}
        return {**named, "rows": self.text().split("\n")}

    # ---- the score ---------------------------------------------------------------------------

    def score(
        self,
        head: npt.NDArray[np.floating],
        relation: npt.NDArray[np.floating],
        tail: npt.NDArray[np.floating],
    ) -> npt.NDArray[np.floating]:
        """Return f(h, r, t) for rows of vectors, (n,), by definition; for tests and small data.

        Parameters
        ----------
        head, relation, tail : array, (n, d)
            d divisible by 4.

        Raises
        ------
        InvalidParameter
            d is not divisible by 4.
        """
        check_dimension(np.shape(head)[-1])
        h, r, t = (x.reshape(len(x), SIZE, -1) for x in (head, relation, tail))
        total: npt.NDArray[np.floating] = np.zeros(len(h), np.result_type(h, r, t))
        for i, k, j, sign in self.blocks:
            total += sign * (h[:, i] * r[:, k] * t[:, j]).sum(axis=1)
        return total


def check_dimension(dim: int) -> None:
    """Refuse a dimension that is not divisible by 4.

    Raises
    ------
    InvalidParameter
        It is not; the message names the two nearest multiples.
    """
    if dim < SIZE or dim % SIZE:
        near = [d for d in (dim - dim % SIZE, dim - dim % SIZE + SIZE) if d >= SIZE]
        raise InvalidParameter(
            f"a dimension of {dim} cannot be divided into {SIZE} equal chunks",
            remedy=f"use a multiple of {SIZE}, such as {' or '.join(map(str, near[-2:]))}",
        )


@cache
def _named() -> Mapping[str, Symbol]:
    return MappingProxyType({name: Symbol(cells) for name, cells in NAMED_CELLS.items()})


@cache
def _names() -> dict[int, str]:
    """Return canonical key → name; of several names for one orbit, the first is taken."""
    keys = canonical_keys([list(cells) for cells in NAMED_CELLS.values()]).tolist()
    return dict(reversed(list(zip(keys, NAMED_CELLS, strict=True))))
