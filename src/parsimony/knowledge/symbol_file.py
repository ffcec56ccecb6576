"""Symbols in files: a knowledge.toml that a person can edit, or plain text."""

from __future__ import annotations

import os

from parsimony.decoding.documents import parse_toml
from parsimony.decoding.files import read_text
from parsimony.errors import FormatError
from parsimony.knowledge.symbol import Symbol
from parsimony.knowledge.symbol_text import EXAMPLE

__all__ = ["read_symbol"]


def read_symbol(path: str | os.PathLike[str]) -> Symbol:
    """Read the symbol of a knowledge.toml, or of a text file with rows, infix or a name.

    Raises
    ------
    MissingFile, NotAFile, EncodingError, UnknownSymbol
    FormatError
        There is no symbol, or a cell is invalid.
    """
    where, text = os.fspath(path), read_text(path)
    if not where.endswith(".toml"):
        return Symbol.parse(text, where=where)
    table = parse_toml(text, where, remedy="correct that line").get("symbol")
    if isinstance(table, str):
        return Symbol.parse(table, where=where)
    if not isinstance(table, dict) or not {"rows", "name"} & set(table):
        raise FormatError(
            "no [symbol] with rows or a name",
            remedy=f"write [symbol] and a line such as rows = {EXAMPLE.split('; ')}",
            where=where,
        )
    return Symbol.from_dict(table, where=where)
