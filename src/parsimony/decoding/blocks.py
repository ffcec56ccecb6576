"""Large tables, block by block: the rows and errors of the whole file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from parsimony.decoding.files import memory_budget
from parsimony.decoding.lines import TextTable
from parsimony.decoding.packed import opened
from parsimony.decoding.tables import parse_cells

__all__ = ["BLOCK", "read_blocks"]

BLOCK = 1 << 24  # bytes of text


def read_blocks(
    table: TextTable,
    columns: Mapping[str, int],
    types: Mapping[str, pl.DataType] | None = None,
    *,
    size: int = BLOCK,
    passed: Callable[[int], object] = int,
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a text file, a block after the other.

    Parameters
    ----------
    table, columns, types
        As of :func:`parsimony.decoding.tables.read_cells`.
    size : int
        Bytes of a block, longer than any line (:data:`parsimony.decoding.lines.MAX_LINE`). Cells
        in quotes can go on over lines: a block ends where no quote is open.
    passed : callable
        Told before every block how many bytes of the file have been read, its own included.

    Yields
    ------
    polars.DataFrame
        What :func:`parsimony.decoding.tables.read_cells` returns, in parts.

    Raises
    ------
    MissingFile, NotAFile
    EncodingError, FormatError
        ``where`` names the first wrong line.
    """
    with opened(table.path) as stream:
        rest, before, more = b"", 0, True
        while more or rest:
            part = stream.read(size)
            more = bool(part)
            data = rest + part
            end = _end(data, table.quoted) if more else len(data)
            if more and not end and len(data) < memory_budget() // 8:
                rest = data
                continue
            rest = data[end or len(data) :]
            data = data[: end or len(data)]
            raw = getattr(stream, "raw", stream)
            passed(raw.tell_packed() if hasattr(raw, "tell_packed") else stream.tell())
            if data:
                yield parse_cells(replace(table, before=before), columns, types, data)
                before += int(np.count_nonzero(np.frombuffer(data, np.uint8) == 10))


def _end(data: bytes, quoted: bool) -> int:
    """Return where the last whole line ends behind which no quote is open; 0 if there is none."""
    end = data.rfind(b"\n") + 1
    return 0 if quoted and data.count(b'"', 0, end) % 2 else end
