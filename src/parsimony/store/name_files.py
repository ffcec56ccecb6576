"""The files of names: sorted as UTF-8 bytes, in ranges that fit into memory one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.graph.vocabulary import QUOTED, Kind, name_lines
from parsimony.store.ahead import ahead
from parsimony.store.array_files import ArrayFiles
from parsimony.store.dictionary import Codes, Dictionary, Hashed

__all__ = ["write_names"]

_ROWS = 1 << 18  # names that are looked up and written together
_SAMPLE = 1 << 12  # names of a part among which the ends of ranges are chosen
_NAME_BYTES = 120  # of a name that is being sorted, beside two copies of its text
IntArray = npt.NDArray[np.int32]


def write_names(
    names: Dictionary,
    files: ArrayFiles,
    file: str,
    kind: Kind,
    *,
    memory: int,
    advance: Callable[[int], object] = int,
) -> tuple[IntArray, str]:
    """Write names in ascending order.

    Parameters
    ----------
    names
        Where there are more than fit into ``memory`` they are gone through once a range.
    files, file
        ``FILE.offsets.npy`` and ``FILE.text.npy`` are written.
    kind
        For the content hash.
    advance
        Told how many names have been written.

    Returns
    -------
    int32 array, shape (n,)
        The id of every code.
    str
        The content hash of the vocabulary.
    """
    ids = np.empty(len(names), np.int32)
    offsets = np.zeros(len(names) + 1, np.int64)
    digest, n = hashlib.sha256(kind.encode()), 0
    with files.opened(f"{file}.text.npy", np.uint8, (names.n_text,)) as write:
        for codes, part in ahead(_sorted(names, memory)):
            ids[codes] = np.arange(n, n + len(part), dtype=np.int32)
            offsets[n + 1 : n + len(part) + 1] = part.str.len_bytes()
            write(part.str.join("").item().encode())
            plain = not part.str.contains(QUOTED).any()
            lines = part.str.join("\n").item() + "\n" if plain else name_lines(part)
            digest.update(lines.encode())
            n += len(part)
            advance(len(part))
    np.cumsum(offsets, out=offsets)
    files.write(f"{file}.offsets.npy", offsets)
    return ids, digest.hexdigest()


def _sorted(names: Dictionary, memory: int) -> Iterator[tuple[IntArray, pl.Series]]:
    """Yield names in ascending order with their codes, some at a time."""
    n_ranges = -(-(2 * names.n_text + _NAME_BYTES * len(names)) // memory)
    ends: list[str | None] = []
    if n_ranges > 1:
        sample = pl.concat(
            part.gather_every(max(len(part) // _SAMPLE, 1)) for part in names.names()
        ).sort()
        ends = sample.gather(np.arange(1, n_ranges) * len(sample) // n_ranges).to_list()
    for low, high in pairwise([None, *ends, None]):
        chosen, codes = _within(names, low, high)
        # A table of their hashes says where each of the sorted ones was: ten times faster than
        # to sort with positions.
        table = names.table
        if table is None:
            table = Codes(room=len(codes))
            for at in range(0, len(chosen), _ROWS):
                part = chosen[at : at + _ROWS]
                table.codes(Hashed.of(part), np.empty(len(part), np.int32))
        chosen = chosen.sort()
        for at in range(0, len(chosen), _ROWS):
            part = chosen[at : at + _ROWS]
            found = np.empty(len(part), np.int32)
            table.codes(Hashed.of(part), found)
            yield found if table is names.table else codes[found], part


def _within(names: Dictionary, low: str | None, high: str | None) -> tuple[pl.Series, IntArray]:
    """Return the names from ``low`` on and below ``high``, and their codes."""
    chosen, codes, at = [pl.Series("name", [], pl.String)], [np.empty(0, np.int32)], 0
    for part in names.names():
        rows = np.arange(len(part), dtype=np.int32)
        if low is not None:
            rows = rows[(part >= low).to_numpy()]
        if high is not None:
            rows = rows[(part.gather(rows) < high).to_numpy()]
        chosen.append(part if len(rows) == len(part) else part.gather(rows) + "")
        codes.append(rows + np.int32(at))
        at += len(part)
    return pl.concat(chosen), np.concatenate(codes)
