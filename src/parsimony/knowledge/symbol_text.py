r"""Symbols as text: 4 rows of 4 signed numbers, or infix; both parse back.

::

     1  0  3  0          h1*r1*t1 + h1*r3*t3 + h2*r2*t2 + …
     0  2  0  4
    -3  0  1  0
     0 -4  0  2

Rows are separated by newlines or semicolons, cells by spaces or commas; brackets are allowed, and
``#`` starts a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from parsimony.errors import FormatError, InvalidParameter, UnknownSymbol
from parsimony.knowledge.symbol_names import NAMED_CELLS, SIZE, Cells

__all__ = ["checked_cells", "format_infix", "format_latex", "format_rows", "parse_cells"]

EXAMPLE = "1 0 3 0; 0 2 0 4; -3 0 1 0; 0 -4 0 2"
INFIX = "h1*r1*t1 - h2*r3*t4"

_COMMENT = re.compile(r"#.*")
_INFIX_START = re.compile(r"[\s+\-<⟨−]*[hrt]\d")
_TERM = re.compile(
    r"\s*(?P<sign>[+\-−]?)\s*[<⟨]?\s*"
    r"(?P<a>[hrt])(?P<i>\d{1,9})\s*[*·∘,]\s*(?P<b>[hrt])(?P<k>\d{1,9})\s*[*·∘,]\s*(?P<c>[hrt])(?P<j>\d{1,9})"
    r"\s*[>⟩]?\s*"
)
_NUMBER = re.compile(r"[+\-−]?\d{1,9}")
_SHOWN = 40  # characters of an invalid text that a message quotes


def checked_cells(cells: Iterable[Iterable[int]]) -> Cells:
    """Return the cells as tuples.

    Raises
    ------
    InvalidParameter
        It is not 4×4, or an entry is outside −4 … 4; the message gives row and column.
    """
    try:
        rows = tuple(tuple(row) for row in cells)
    except TypeError:
        rows = ()
    if len(rows) != SIZE or any(len(row) != SIZE for row in rows):
        shape = f"{len(rows)} rows of {', '.join(str(len(row)) for row in rows) or 'no'} cells"
        raise InvalidParameter(
            f"a symbol has {SIZE} rows of {SIZE} cells. Got {shape}",
            remedy=f"for example {EXAMPLE}",
        )
    for i, row in enumerate(rows, start=1):
        for j, value in enumerate(row, start=1):
            whole = isinstance(value, int) or hasattr(value, "__index__")
            if not whole or isinstance(value, bool) or not -SIZE <= value <= SIZE:
                raise InvalidParameter(
                    f"the cell in row {i}, column {j} of the symbol is {value!r}",
                    remedy=f"write 0 for no block, or ±1 to ±{SIZE}: the relation chunk and its "
                    "sign",
                )
    return tuple(tuple(int(value) for value in row) for row in rows)


def parse_cells(text: str, *, where: str | None = None) -> Cells:
    """Parse a name, rows or infix.

    Parameters
    ----------
    text : str
    where : str, optional
        The file's name, for errors.

    Raises
    ------
    UnknownSymbol
        The word is not the name of a symbol.
    FormatError
        Neither rows nor infix; the message says which cell or term is wrong.
    """
    plain = "\n".join(_COMMENT.sub("", line) for line in text.splitlines()).strip()
    try:
        for name, cells in NAMED_CELLS.items():
            if name.casefold() == plain.casefold():
                return cells
        if not plain:
            raise InvalidParameter("no symbol here", remedy=f"write rows such as {EXAMPLE}")
        if _INFIX_START.match(plain):
            return _parse_infix(" ".join(plain.split()))
        if plain[0].isalpha():
            raise UnknownSymbol.of(plain[:_SHOWN], NAMED_CELLS, where=where)
        return checked_cells(_parse_rows(plain))
    except InvalidParameter as error:
        raise FormatError(error.message, remedy=error.remedy, where=where) from None


def _parse_rows(text: str) -> list[list[int]]:
    # A row ends at a line end, a semicolon or a closing bracket.
    parts = [part.strip(" \t,[](){}") for part in re.split(r"[\n;\])]", text)]
    rows: list[list[int]] = []
    for part in filter(None, parts):
        row: list[int] = []
        for word in re.split(r"[\s,]+", part):
            if not _NUMBER.fullmatch(word):
                raise InvalidParameter(
                    f"{word[:_SHOWN]!r} in row {len(rows) + 1}, column {len(row) + 1} of the "
                    "symbol is not an integer",
                    remedy=f"write 0 for no block, or ±1 to ±{SIZE}, as in {EXAMPLE}",
                )
            row.append(int(word.replace("−", "-")))
        rows.append(row)
    if len(rows) == 1 and len(rows[0]) == SIZE * SIZE:  # 16 numbers on one line
        return [rows[0][i : i + SIZE] for i in range(0, SIZE * SIZE, SIZE)]
    return rows


def _parse_infix(text: str) -> Cells:
    rows = [[0] * SIZE for _ in range(SIZE)]
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or (position and not match["sign"]):
            raise InvalidParameter(
                f"cannot read {text[position : position + _SHOWN].strip()!r}",
                remedy=f"write terms of a head, a relation and a tail chunk, as in {INFIX}",
            )
        term = text[position : match.end()].strip()
        position = match.end()
        chunks = {match[x]: int(match[y]) for x, y in (("a", "i"), ("b", "k"), ("c", "j"))}
        if len(chunks) < 3 or not all(1 <= chunk <= SIZE for chunk in chunks.values()):
            raise InvalidParameter(
                f"the term {term[:_SHOWN]!r} does not combine one chunk each of h, r and t",
                remedy=f"chunks are numbered 1 to {SIZE}, as in {INFIX}",
            )
        i, j = chunks["h"] - 1, chunks["t"] - 1
        if rows[i][j]:
            raise InvalidParameter(
                f"the term {term[:_SHOWN]!r} combines h{i + 1} and t{j + 1} a second time",
                remedy="a symbol has one block for each pair of a head and a tail chunk",
            )
        rows[i][j] = -chunks["r"] if match["sign"] in ("-", "−") else chunks["r"]
    return tuple(map(tuple, rows))


def format_rows(cells: Cells, *, between: str = "\n") -> str:
    """Return the rows, aligned if each is on its own line."""
    width = 2 if between == "\n" else 0
    return between.join(" ".join(f"{value:{width}d}" for value in row) for row in cells)


def format_infix(cells: Cells) -> str:
    """Return ``h1*r1*t1 - h2*r3*t4``."""
    terms: list[str] = []
    for i, row in enumerate(cells, start=1):
        for j, value in enumerate(row, start=1):
            if value:
                sign = "-" if value < 0 else "+" if terms else ""
                gap = " " if terms else ""
                terms.append(f"{gap}{sign}{gap}h{i}*r{abs(value)}*t{j}")
    return "".join(terms)


def format_latex(cells: Cells) -> str:
    r"""Return G(r) of ``f = hᵀ G(r) t`` as a ``bmatrix`` of signed diagonal blocks."""
    rows = []
    for row in cells:
        entries = [
            f"{'-' if value < 0 else ''}D_{{{abs(value)}}}" if value else "0" for value in row
        ]
        rows.append(" & ".join(entries))
    body = r" \\ ".join(rows)
    return (
        rf"\mathbf{{h}}^\top \begin{{bmatrix}} {body} \end{{bmatrix}} \mathbf{{t}}, \quad "
        r"D_k = \operatorname{diag}(\mathbf{r}_k)"
    )
