"""N-Triples: one ``<subject> <predicate> <object> .`` a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from parsimony.graph.rescan import Lines, explain_failure

if TYPE_CHECKING:
    from parsimony.graph.formats import Names

__all__ = ["NTriplesLines", "read_ntriples"]

_NODE = r"(?:<[^>]*>|_:\S+)"
_LITERAL = r'"(?:[^"\\]|\\.)*"(?:@[A-Za-z0-9-]+|\^\^<[^>]*>)?'
_STATEMENT = rf"^\s*({_NODE})\s*(<[^>]*>)\s*({_NODE}|{_LITERAL})\s*\.\s*(?:#.*)?$"
_BLANK = r"^\s*(?:#.*)?$"
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def _unescape(name: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), name)


class NTriplesLines(Lines):
    """The slow reader of an N-Triples file."""

    expected = "<subject> <predicate> <object> ."

    def __init__(self, path: Path) -> None:
        super().__init__(path, None, 3, 0)
        self._statement = re.compile(_STATEMENT)
        self._blank = re.compile(_BLANK)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line numbers and names; one field with the whole line where it is no statement."""
        for number, text in self.decoded():
            if self._blank.match(text):
                yield number, []
            elif match := self._statement.match(text):
                yield number, [_unescape(_strip(part)) for part in match.groups()]
            else:
                yield number, [text]

    def problem(self, fields: list[str]) -> tuple[str, str] | None:
        """Return message and remedy if the line is no statement."""
        if len(fields) != 3:
            text = fields[0] if len(fields[0]) <= 80 else fields[0][:80] + "…"
            return f"not an N-Triples statement, expected {self.expected}: {text}", "correct it"
        return None


def _strip(node: str) -> str:
    return node[1:-1] if node.startswith("<") else node


def read_ntriples(path: Path, names: Names) -> pl.DataFrame:
    """Read statements whose object is a node; IRIs lose their angle brackets.

    Parameters
    ----------
    path : Path
    names : Names
        Dictionaries shared with other files.

    Returns
    -------
    polars.DataFrame
        Categorical columns head, relation, tail. Literals are left out.

    Raises
    ------
    FormatError, EncodingError
        ``where`` names the line.
    """
    line = pl.col("line")
    node = pl.col("tail").str.starts_with('"').not_()
    part = [line.str.extract(_STATEMENT, i) for i in (1, 2, 3)]
    try:
        frame = (
            # A separator that no line of text holds: each line is one column.
            pl.scan_csv(
                path,
                separator="\x01",
                quote_char=None,
                has_header=False,
                schema={"line": pl.String()},
                raise_if_empty=False,
            )
            .filter(line.is_not_null() & ~line.str.contains(_BLANK))
            .select(head=part[0], relation=part[1], tail=part[2])
            .collect(engine="streaming")
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise explain_failure(NTriplesLines(path), str(error).split("\n")[0]) from None
    if frame["head"].null_count():
        raise explain_failure(NTriplesLines(path), "a line that is no statement")
    stripped = frame.filter(node).with_columns(pl.all().str.strip_prefix("<").str.strip_suffix(">"))
    if stripped.select(pl.any_horizontal(pl.all().str.contains("\\", literal=True).any())).item():
        # Escapes are rare in IRIs; only the distinct names that hold one are decoded.
        for column in stripped.columns:
            odd = stripped[column].unique()
            odd = odd.filter(odd.str.contains("\\", literal=True))
            stripped = stripped.with_columns(
                pl.col(column).replace(odd.to_list(), [_unescape(name) for name in odd])
            )
    return stripped.cast(names.schema())  # type: ignore[arg-type]
