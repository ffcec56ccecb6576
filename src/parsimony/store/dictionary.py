"""Names to codes, a block after the other: an open-addressing table of 128-bit hashes.

Names are told apart by two seeded 64-bit hashes of Polars; that two of a billion names share both
has a probability of about 10⁻²¹. It takes a quarter of the time of Polars' categorical columns, of
whose dictionaries it takes the place here; the strings are kept once, in the order of their codes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.kernels.numerics import kernel

__all__ = ["Dictionary"]

_SLICE = 1 << 18  # names looked up before the table may grow
_SEEDS = (0x9E3779B9, 0x85EBCA6B)
IntArray = npt.NDArray[np.int32]


@kernel
def _enter(hashes, table, n):  # type: ignore[no-untyped-def]
    """Enter the codes 0 … n - 1 of pairs of hashes (n, 2) into a larger table."""
    mask = len(table) - 1
    for code in range(n):
        at = hashes[code, 0] & mask
        while table[at, 2] >= 0:
            at = (at + 1) & mask
        table[at, 0], table[at, 1], table[at, 2] = hashes[code, 0], hashes[code, 1], code


@kernel
def _look_up(hashes, table, n, codes, new):  # type: ignore[no-untyped-def]
    """Find the code of every pair of hashes (m, 2), the next one for a pair that is new.

    IN  n: codes that are given
    INOUT table (2^k, 3): both hashes and the code, -1 in a free slot
    OUT codes (m,);  new (m,): the rows that were given a new code;  how many those are
    """
    mask, first = len(table) - 1, n
    for i in range(len(hashes)):
        one, other = hashes[i, 0], hashes[i, 1]
        at = one & mask
        while table[at, 2] >= 0 and (table[at, 0] != one or table[at, 1] != other):
            at = (at + 1) & mask
        if table[at, 2] < 0:
            table[at, 0], table[at, 1], table[at, 2] = one, other, n
            new[n - first] = i
            n += 1
        codes[i] = table[at, 2]
    return n - first


class Dictionary:
    """Codes of names, from 0 in the order in which they first appear.

    Attributes
    ----------
    n_bytes
        What it holds in memory, about.
    """

    def __init__(self) -> None:
        self._table = _empty(1 << 12)
        self._parts: list[pl.Series] = []
        self._n = self._text = 0

    def __len__(self) -> int:
        """Return the number of names."""
        return self._n

    @property
    def n_bytes(self) -> int:
        """Bytes of the table and the strings."""
        return self._table.nbytes + self._text + 16 * self._n

    def codes(self, names: pl.Series) -> IntArray:
        """Return the codes of a column of strings; new names are given new ones."""
        hashes = np.empty((len(names), 2), np.int64)
        for i, seed in enumerate(_SEEDS):
            hashes[:, i] = names.hash(seed).to_numpy().view(np.int64)
        codes, rows = np.empty(len(names), np.int32), []
        new = np.empty(_SLICE, np.int64)
        for at in range(0, len(names), _SLICE):
            part = slice(at, at + _SLICE)
            if 2 * (self._n + _SLICE) > len(self._table):
                self._grow()
            n_new = _look_up(hashes[part], self._table, self._n, codes[part], new)
            rows.append(new[:n_new] + at)
            self._n += n_new
        if any(map(len, rows)):
            # Copied: a view of a part would keep the whole block of text.
            kept = pl.Series(names.gather(np.concatenate(rows)).to_list(), dtype=pl.String)
            self._parts.append(kept)
            self._text += int(kept.str.len_bytes().sum())
        return codes

    def names(self) -> pl.Series:
        """Return all names in the order of their codes."""
        return pl.concat([pl.Series([], dtype=pl.String), *self._parts])

    def _grow(self) -> None:
        size = len(self._table)
        while 2 * (self._n + _SLICE) > size:
            size *= 2
        old = self._table[self._table[:, 2] >= 0]
        hashes = np.empty((self._n, 2), np.int64)
        hashes[old[:, 2]] = old[:, :2]
        self._table = _empty(size)
        _enter(hashes, self._table, self._n)


def _empty(size: int) -> npt.NDArray[np.int64]:
    return np.full((size, 3), -1, np.int64)
