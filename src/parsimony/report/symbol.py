"""How a page shows a symbol, and a comparison of symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.knowledge.symbol import Symbol
from parsimony.pages.svg_of_symbol import symbol_svg
from parsimony.report.search import Structures

__all__ = ["SYMBOLS", "symbol_view"]

#: What a pattern lets a relation express, in words.
_MEANING = {
    "symmetric": "(a, r, b) implies (b, r, a), as in “is married to”",
    "skew-symmetric": "(a, r, b) excludes (b, r, a), as in “is the parent of”",
    "inverse": "every relation can have a second one that states its converse, as in “parent "
    "of” and “child of”",
    "general": "relations that are neither, as most are",
}


def symbol_view(text: str) -> dict[str, Any]:
    """Return a symbol as picture, text and words.

    Parameters
    ----------
    text
        Rows, infix or a name.
    """
    from markupsafe import Markup

    symbol = Symbol.parse(text)
    words = symbol.patterns.words()
    by_name = {word.split(" (")[0]: word for word in words}
    return {
        "name": symbol.name,
        "picture": Markup(symbol_svg(symbol)),
        "rows": symbol.text(),
        "infix": symbol.infix(),
        "latex": symbol.latex(),
        "blocks": symbol.n_blocks,
        "degenerate": symbol.degenerate,
        "rank": symbol.rank,
        "patterns": [(by_name.get(name), name, meaning) for name, meaning in _MEANING.items()],
    }


def _of_splits(row: Mapping[str, Any], title: str) -> dict[str, Any]:
    return {
        title.format(split): {"value": row[split]["mrr"], "interval": row[split]["interval"]}
        for split in ("valid", "test")
        if split in row
    }


SYMBOLS = Structures(
    noun="symbol",
    figure="MRR",
    size="blocks",
    parse=Symbol.parse,
    size_of=lambda symbol: symbol.n_blocks,
    picture=symbol_svg,
    values=lambda row: _of_splits(row, "{} MRR"),
    gaps=lambda row: _of_splits(row.get("difference", {}), "best minus this, {}"),
)
